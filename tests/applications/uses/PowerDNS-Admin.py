"""Whoever registers first is the administrator, and adds accounts with a description, which the list of accounts shows.

Debian's packages are for what has to be compiled here: psycopg2, mysqlclient and python-ldap. Style sheets and scripts are
bundled from what yarn installs, and load fonts from it. Whether it manages a PowerDNS server is not tried here.
"""

from __future__ import annotations

from guest import Guest

OLDER = "v0.5.1"
MAIN = "/login"
STATIC = "/static/node_modules/@fortawesome/fontawesome-free/webfonts/fa-solid-900.woff2"
ROLLBACK = "keep"
PASSWORD = "Correct-Horse-7"


def write(guest: Guest, text: str) -> None:
    enter(guest)
    name = "".join(letter for letter in text if letter.isalnum())
    about = {"accountdescription": text, "accountcontact": "Ana", "accountmail": "ana@example.com"}
    guest.submit("/admin/account/edit", accountname=name, **about)


def read(guest: Guest) -> str:
    enter(guest)
    return guest.get("/admin/manage-account").text


def enter(guest: Guest) -> None:
    """Logs in; the first one registers before."""
    if "Invalid credentials" in login(guest):
        person = {"firstname": "Ana", "lastname": "Admin", "email": "ana@example.com", "username": "ana"}
        guest.submit("/register", **person, password=PASSWORD, rpassword=PASSWORD)
        login(guest)


def login(guest: Guest) -> str:
    return guest.submit("/login", username="ana", password=PASSWORD).text
