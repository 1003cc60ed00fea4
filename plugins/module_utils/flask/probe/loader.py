# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application, loaded as the flask command does it, or what is wrong with it.

Part of what is sent to the application's own interpreter; see questions.
"""

from __future__ import annotations

import os


class Problem(Exception):
    """What is wrong with the application, and what to do about it."""


def load_app() -> object:
    """The application as the flask command loads it."""
    from flask.cli import NoAppException, ScriptInfo, load_dotenv

    load_dotenv()
    try:
        return ScriptInfo(app_import_path=os.environ["FLASK_APP"]).load_app()
    except NoAppException as error:
        raise Problem("The application %s can't be loaded: %s" % (os.environ["FLASK_APP"], error)) from error


def explained(error: Exception) -> Problem | None:
    """The problem behind an exception of alembic or of the connection; None where it is another."""
    if getattr(error, "statement", None):  # it was reached, and refused what it was told
        return None
    names = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    if names & {("sqlalchemy", "OperationalError"), ("sqlalchemy", "InterfaceError")}:
        return Problem(
            "The database can't be reached: %s\nCheck that its server runs, and that the URL in .env has the "
            "right host, database, user and password." % (getattr(error, "orig", None) or error)
        )
    if ("alembic", "CommandError") in names:
        return Problem("The migrations can't be used: %s" % error)
    return None
