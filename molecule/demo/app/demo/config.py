"""Settings from the environment; .env fills in what the environment leaves out."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import load_dotenv

ROOT = Path(__file__).resolve().parent.parent


def from_environment() -> dict[str, object]:
    """Read every setting, and refuse to start without those that are required."""
    load_dotenv(ROOT / ".env")
    return {
        "SECRET_KEY": _required("SECRET_KEY"),
        "SQLALCHEMY_DATABASE_URI": _optional("DATABASE_URL", "sqlite:///guestbook.db"),
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_pre_ping": True},
        "MAIL_SERVER": _optional("MAIL_SERVER", ""),
        "MAIL_PORT": int(_optional("MAIL_PORT", "25")),
        "MAIL_SENDER": _optional("MAIL_SENDER", "guestbook@localhost"),
        "UPLOAD_FOLDER": ROOT / _optional("UPLOAD_FOLDER", "instance/uploads"),
        "MAX_CONTENT_LENGTH": 32 * 1024 * 1024,
    }


def _required(key: str) -> str:
    value = os.environ.get(key)
    if not value:
        raise RuntimeError(f"{key} is not set: put it in the environment or in .env")
    return value


def _optional(key: str, default: str) -> str:
    return os.environ.get(key) or default
