"""The first who comes sets a password; whoever has it adds devices, which everybody with the password sees.

Until then the site is open to everybody: set `flask_basic_auth` before the first deployment, or the password right after it.
The application keeps its data in files, and what it knows of them in memory, so it has one process, in which its scheduler
runs as well. The doctor warns of such a scheduler, because each slot and each command starts it, too: with one process that is the
author's choice, and `doctor_ignored` says so. Without that line, the doctor finds something.
Its code is in `src` and is installed as a package, by `pyproject.toml`. Debian's packages are for psutil, which has to be compiled here.
`SKIP_HWI_INITIALISATION_AT_STARTUP` is for a server without hardware wallets; with them, add `libusb-1.0-0` to the packages.
"""

from __future__ import annotations

from guest import Guest

OLDER = "v2.1.10"
MAIN = "/auth/login"
STATIC = "/static/output.css"
PASSWORD = "correct horse"
# The public key of BIP 32's first test vector.
KEY = (
    "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
)


def write(guest: Guest, text: str) -> None:
    enter(guest)
    page = "/devices/new_device_manual/"
    guest.submit(page, action="newcolddevice", device_type="other", device_name=text, xpubs=KEY)


def read(guest: Guest) -> str:
    enter(guest)
    return guest.get("/welcome/about").text


def enter(guest: Guest) -> None:
    """Logs in; the first one sets the password, and that nobody has to wait between two logins."""
    if "/auth/login" not in guest.get("/").url:
        users = {"method": "usernamepassword", "rate_limit": "0", "registration_link_timeout": "1"}
        guest.submit("/settings/auth", **users, specter_username="admin", specter_password=PASSWORD, action="save")
    guest.submit("/auth/login", username="admin", password=PASSWORD)
