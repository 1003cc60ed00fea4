"""This checkout, whose hosts meet none of another's, and its folder for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
STATE = CHECKOUT / ".testhost"
KEY = STATE / "id_ed25519"
LOCK = STATE / "lock"
ID = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]


def folder_of(name: str) -> Path:
    """Return where the files of a host are."""
    return STATE / "hosts" / name
