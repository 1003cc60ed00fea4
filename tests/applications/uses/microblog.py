"""Whoever registers writes a post, and has the posts exported, which RQ's worker does and mails; all posts are listed.

The search needs Elasticsearch, and the translation of posts a key, neither of which is tried here.
"""

from __future__ import annotations

import uuid

from guest import Guest
from machine import wait_for

OLDER = "v0.22"
MAIN = "/auth/login"
STATIC = "/static/loading.gif"
ROLLBACK = "keep"


def write(guest: Guest, text: str) -> None:
    enter(guest)
    guest.submit("/index", post=text)
    guest.get("/export_posts")
    wait_for(lambda: exported(guest), "the posts are exported by the worker", 60)


def exported(guest: Guest) -> bool:
    """Whether the worker has told the visitor that it is done."""
    told = [one["data"] for one in guest.get("/notifications").json() if one["name"] == "task_progress"]
    return bool(told) and told[-1]["progress"] == 100


def read(guest: Guest) -> str:
    enter(guest)
    return guest.get("/explore").text


def enter(guest: Guest) -> None:
    """Somebody new, logged in."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    guest.submit("/auth/register", username=name, email=f"{name}@example.com", password="secret", password2="secret")
    guest.submit("/auth/login", username=name, password="secret")
