"""An application that makes its tables when it is imported, and helps itself where that fails."""

from __future__ import annotations

import os
from pathlib import Path

from board import add_board, db
from dotenv import load_dotenv
from flask import Flask

load_dotenv()
HERE = Path(__file__).resolve().parent
app = Flask(__name__)
app.config["SECRET_KEY"] = os.getenv("SECRET_KEY", "S3cret_999")
try:
    url = "{DB_ENGINE}://{DB_USERNAME}:{DB_PASS}@{DB_HOST}/{DB_NAME}".format_map(os.environ)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
except KeyError:
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{HERE / 'db.sqlite3'}"
add_board(app)


def make_tables() -> None:
    """Make those that are missing; with a file of its own where there is no database."""
    try:
        db.create_all()
    except Exception as error:
        print("> Error: DBMS Exception:", error)
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{HERE / 'db.sqlite3'}"
        print("> Fallback to SQLite")
        db.create_all()


with app.app_context():
    make_tables()
