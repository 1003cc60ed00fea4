"""Endpoints that show how a request reaches the application."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from demo.identity import identity

blueprint = Blueprint("probes", __name__)


@blueprint.get("/slow")
def slow() -> ResponseReturnValue:
    """Answer after ?seconds=, ten at most."""
    seconds = min(max(request.args.get("seconds", 1.0, type=float), 0.0), 10.0)
    time.sleep(seconds)
    return {"seconds": seconds, **identity()}


@blueprint.get("/ticks")
def ticks() -> Response:
    """Send an event each half a second, ten of them."""

    def events() -> Iterator[str]:
        for number in range(10):
            yield f"data: {number}\n\n"
            time.sleep(0.5)

    return Response(events(), mimetype="text/event-stream")


@blueprint.get("/whoami")
def whoami() -> ResponseReturnValue:
    """Tell where the request came from and what it asked for."""
    return {
        "remote_addr": request.remote_addr,
        "scheme": request.scheme,
        "host": request.host,
    }, {"Referrer-Policy": "no-referrer"}
