"""Each who registers has a page that shows the name, after the login.

The application does not read `DATABASE_URL`, but has five settings for its database. Without them it would keep a SQLite file
beside its code. The versions after v1.0.16 have no way to take over the accounts of those before.
"""

from __future__ import annotations

from guest import Guest

OLDER = "v1.0.12"
MAIN = "/login"
STATIC = "/static/assets/css/black-dashboard.css"
NAMES: list[str] = []


def write(guest: Guest, text: str) -> None:
    NAMES.append(text)
    email = f"{text.replace(' ', '-')}@example.com"
    said = guest.submit("/register", username=text, email=email, password="secret", register="")
    assert "Account created" in said.text


def read(guest: Guest) -> str:
    return "\n".join(profile(type(guest)(guest.address), name) for name in NAMES)


def profile(guest: Guest, name: str) -> str:
    """The page of one account; empty if there is no such account."""
    said = guest.submit("/login", username=name, password="secret", login="")
    return "" if "Wrong user" in said.text else guest.get("/user").text
