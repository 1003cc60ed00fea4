"""An application that is configured by a file with keys of its own, and migrates when it is loaded."""

from __future__ import annotations

from pathlib import Path

from board import add_board, db
from flask import Flask
from flask_migrate import Migrate, upgrade

HERE = Path(__file__).resolve().parent


def create_app() -> Flask:
    """Build it, and bring its database to where this version wants it."""
    app = Flask(__name__)
    app.config.from_pyfile(HERE.parent / "conf/ledger.cfg")
    app.config["SECRET_KEY"] = app.config["LEDGER_KEY"]
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{HERE.parent / app.config['LEDGER_FILE']}"
    add_board(app)
    Migrate(app, db)
    with app.app_context():
        upgrade(str(HERE / "migrations"))
    return app
