"""Pictures, kept in the upload folder under names of our own."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from flask import current_app
from werkzeug.datastructures import FileStorage


def store(upload: FileStorage | None) -> str | None:
    """Keep an uploaded file and return its new name; None where there is none."""
    if not upload:
        return None
    folder = Path(current_app.config["UPLOAD_FOLDER"])
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid4().hex + Path(upload.filename or "").suffix.lower()
    upload.save(folder / name)
    return name
