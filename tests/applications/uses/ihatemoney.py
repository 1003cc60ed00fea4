"""Friends share a project, with a private code: one adds a bill, another one reads it.

It migrates its database by itself, when it is loaded. It does not read `DATABASE_URL` and `SECRET_KEY`; `settings.py` says where they are.
"""

from __future__ import annotations

from guest import Guest

OLDER = "7.0.1"
MAIN = "/"
STATIC = "/static/css/main.css"
CODE = "lentils"


def log_in(guest: Guest) -> None:
    """The first one creates the project."""
    about = {"name": "trip", "password": CODE, "contact_email": "ana@example.com", "default_currency": "XXX"}
    if not guest.submit("/create", **about).url.endswith("/trip/"):
        guest.submit("/authenticate?project_id=trip", id="trip", password=CODE)


def write(guest: Guest, text: str) -> None:
    log_in(guest)
    guest.submit("/trip/members/add", name="Ana")
    (member,) = guest.get("/api/projects/trip/members", auth=("trip", CODE)).json()
    bill = {"what": text, "amount": "12.50", "payer": member["id"], "payed_for": member["id"]}
    guest.submit("/trip/add", **bill, original_currency="XXX", bill_type="Expense")


def read(guest: Guest) -> str:
    log_in(guest)
    return guest.get("/trip/").text
