"""The page with its bundles, and the one that asks the database and Redis whether they are there.

It asks for Python 3.13, which Debian 13 has. It keeps nothing. Its own containers build by yarn, outside of the repository; npm
does here, and its style sheet looks for the templates in `/app` there. `PYTHON_VERSION` is shown on its page, and comes from its image elsewhere. What its `.env.example` has besides
`SECRET_KEY` is for its containers.
"""

from __future__ import annotations

from guest import Guest

IMAGE = "debian-13"
OLDER = "28ae2cd"
MAIN = "/"
STATIC = "/css/app.css"
KEEPS = False


def write(guest: Guest, text: str) -> None:
    guest.get("/up/databases")


def read(guest: Guest) -> str:
    return guest.get("/").text
