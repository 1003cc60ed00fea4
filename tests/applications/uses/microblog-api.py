"""Somebody registers, gets a token and writes a post; another one reads all posts.

Between the two versions is a migration, by alembic without Flask-Migrate. The older one can live with what it does. Before it,
passwords do not fit into a column of MySQL, so the database is SQLite, as in its own containers; the newer version works with both.
There are no static files: `/` redirects to the documentation, whose scripts come from another server.
"""

from __future__ import annotations

import uuid

from guest import Guest

OLDER = "8b0b56f"
MAIN = "/"
STATIC = "/apispec.json"
ROLLBACK = "keep"


def log_in(guest: Guest) -> None:
    """As a new user."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    guest.post("/api/users", json={"username": name, "email": f"{name}@example.com", "password": "secret"})
    token = guest.post("/api/tokens", auth=(name, "secret")).json()["access_token"]
    guest.headers["Authorization"] = f"Bearer {token}"


def write(guest: Guest, text: str) -> None:
    log_in(guest)
    guest.post("/api/posts", json={"text": text})


def read(guest: Guest) -> str:
    log_in(guest)
    return guest.get("/api/posts", params={"limit": 100}).text
