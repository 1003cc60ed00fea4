"""Friends share a project, with a private code: one adds a bill, another one reads it by the API, which has no limit of logins.

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
    about = {"id": "trip", "name": "Trip", "password": CODE, "contact_email": "ana@example.com"}
    if not guest.submit("/create", **about).url.endswith("/trip/"):
        answer = guest.submit("/authenticate?project_id=trip", id="trip", password=CODE)
        assert answer.url.endswith("/trip/"), answer.url


def write(guest: Guest, text: str) -> None:
    log_in(guest)
    guest.submit("/trip/members/add", name="Ana")
    (member,) = guest.get("/api/projects/trip/members", auth=("trip", CODE)).json()
    bill = {"what": text, "amount": "12.50", "payer": member["id"], "payed_for": member["id"]}
    guest.submit("/trip/add", **bill, bill_type="Expense")


def read(guest: Guest) -> str:
    return guest.get("/api/projects/trip/bills", auth=("trip", CODE)).text
