"""Template filters."""

from __future__ import annotations

from datetime import datetime

from flask_babel import format_datetime


def when(moment: datetime) -> str:
    """Write a time as the visitor's language does."""
    return format_datetime(moment)
