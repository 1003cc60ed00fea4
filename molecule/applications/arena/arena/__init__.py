"""An application that makes and migrates its database whenever it is loaded, as large public ones do."""

from __future__ import annotations

import os

from board import add_board, db
from dotenv import load_dotenv
from flask import Flask
from flask_migrate import Migrate, upgrade
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url


def create_app() -> Flask:
    """Build it, and bring its database to where this version wants it."""
    load_dotenv()
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    app.config["SQLALCHEMY_DATABASE_URI"] = url = os.environ["DATABASE_URL"]
    make_database(url)
    add_board(app)
    Migrate(app, db)
    with app.app_context():
        upgrade()
    return app


def make_database(url: str) -> None:
    """Make it where the server has none of that name."""
    wanted = make_url(url)
    with create_engine(wanted.set(database=None)).connect() as connection:
        connection.execute(text(f"CREATE DATABASE IF NOT EXISTS `{wanted.database}`"))
