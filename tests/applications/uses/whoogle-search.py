"""A visitor saves settings under a name, with a text in one of them; others load them by that name.

When it is loaded, the application makes links in `app/static/build` and writes beside its code. The build loads it once, so
that the links are a part of the release, and `CONFIG_VOLUME` has all else written to `instance`. A search needs the internet.
`wsgi.py` gives it the key of its `.env`; else it would make one of its own.
"""

from __future__ import annotations

from guest import Guest

OLDER = "v1.2.3"
MAIN = "/"
STATIC = "/static/css/main.css"
NAMES: list[str] = []


def write(guest: Guest, text: str) -> None:
    NAMES.append(text.replace(" ", "-"))
    guest.get("/")
    guest.post(f"/config?name={NAMES[-1]}", data={"near": text})


def read(guest: Guest) -> str:
    guest.get("/")
    return "\n".join(guest.put(f"/config?name={name}").text for name in NAMES)
