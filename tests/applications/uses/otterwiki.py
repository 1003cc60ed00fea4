"""Whoever registers first writes a page, and the changelog of all pages shows what was said of it.

The pages are a git repository in `instance`, which has to be there before the application can be loaded, and the accounts a
SQLite file beside it. Whoever registers first is the administrator.
"""

from __future__ import annotations

from guest import Guest

OLDER = "v2.22.2"
MAIN = "/"
STATIC = "/static/js/cm6-bundle.min.js"
PERSON = {"email": "ana@example.com"}
PASSWORD = "Correct-Horse-7"


def write(guest: Guest, text: str) -> None:
    if "/-/login" in login(guest):
        guest.submit("/-/register", **PERSON, name="Ana", password1=PASSWORD, password2=PASSWORD)
        login(guest)
    guest.submit(f"/{text.replace(' ', '-')}/edit", content=f"# {text}\n", commit=text)


def login(guest: Guest) -> str:
    """Where it leads to: back to the form where there is no such account."""
    return guest.submit("/-/login", **PERSON, password=PASSWORD).url


def read(guest: Guest) -> str:
    return guest.get("/-/changelog").text
