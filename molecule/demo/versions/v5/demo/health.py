"""Whether this process can serve. This version says that it can't."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from demo.identity import identity

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Answer 500, whatever the database says."""
    return {"status": "unhealthy", **identity()}, 500
