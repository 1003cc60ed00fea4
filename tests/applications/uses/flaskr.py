"""Somebody registers, logs in and writes a post; everybody reads it."""

from __future__ import annotations

import uuid

from guest import Guest

OLDER = "3.1.2"
MAIN = "/"
STATIC = "/static/style.css"


def write(guest: Guest, text: str) -> None:
    name = f"user-{uuid.uuid4().hex[:8]}"
    guest.submit("/auth/register", username=name, password="secret")
    guest.submit("/auth/login", username=name, password="secret")
    guest.submit("/create", title=text, body="in the body")


def read(guest: Guest) -> str:
    return guest.get("/").text
