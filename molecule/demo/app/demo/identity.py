"""Which process of which version is answering."""

from __future__ import annotations

import os

from demo.version import VERSION


def identity() -> dict[str, str]:
    """Name the version, the slot that it runs in and the process."""
    return {
        "version": VERSION,
        "slot": os.environ.get("FLASK_SLOT", "-"),
        "pid": str(os.getpid()),
    }
