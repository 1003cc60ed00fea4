"""Whoever knows the word uploads a file by the API, and everybody sees it in the list.

The files are kept in `instance`, beside the settings, which the application reads at a path that is the same for each version. Its code
is in `src`, and it takes its version from git. Packages that it needs import `pkg_resources`, which setuptools no longer has.
"""

from __future__ import annotations

import base64

from guest import Guest

OLDER = "1.2.1"
MAIN = "/"
STATIC = "/static/app/css/style.css"


def write(guest: Guest, text: str) -> None:
    about = {"Content-Type": "text/plain", "Content-Filename": text, "Content-Range": f"bytes 0-{len(text) - 1}/{len(text)}"}
    guest.post("/apis/rest/items", data=base64.b64encode(text.encode()), headers=about, auth=("", "change-me"))


def read(guest: Guest) -> str:
    return guest.get("/+list").text
