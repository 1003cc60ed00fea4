"""Notes in a folder, a file for all of them; each is written when the companion has said it, too."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, request
from version import HEALTHY, VERSION

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
FOLDER = Path("/var/lib/toy-databases", urlsplit(os.environ["DATABASE_URL"]).path.strip("/"))
COMPANION = urlsplit(os.environ["TOY_URL"])


def echo(text: str) -> str:
    """What the companion answers."""
    with socket.create_connection((COMPANION.hostname, COMPANION.port), timeout=5) as connection:
        connection.sendall(text.encode() + b"\n")
        return connection.makefile(encoding="utf-8").readline().strip()


@app.get("/")
@app.get("/healthz")
def healthz() -> tuple[dict, int]:
    return {"version": VERSION, "echo": echo(VERSION)}, 200 if HEALTHY else 500


@app.post("/notes")
def write() -> tuple[dict, int]:
    with open(FOLDER / "notes", "a", encoding="utf-8") as file:
        file.write(echo(request.form["text"]) + "\n")
    return {"version": VERSION}, 201


@app.get("/posts/count")
def count() -> dict:
    notes = FOLDER / "notes"
    return {"count": len(notes.read_text().splitlines()) if notes.exists() else 0, "version": VERSION}
