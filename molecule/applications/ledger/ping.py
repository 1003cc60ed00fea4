"""Asks each service that the environment names, and says what it answers; fails where one does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pika
import pymemcache
import redis


def ask_broker(url: str) -> None:
    """As a client that opens its virtual host."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = 20
    pika.BlockingConnection(parameters).close()


SERVICES: dict[str, Callable[[str], object]] = {
    "REDIS_URL": lambda url: redis.from_url(url).ping(),
    "MEMCACHED_SERVER": lambda path: pymemcache.Client(path).version(),
    "AMQP_URL": ask_broker,
}


def says(name: str) -> str:
    """What comes of asking it: well, or the kind of error."""
    try:
        SERVICES[name](os.environ[name])
    except Exception as error:  # each library has its own
        cause = error.__cause__ or error.__context__ or error
        return f"{type(error).__name__} {cause}"
    return "well"


if __name__ == "__main__":
    answers = {name: says(name) for name in SERVICES if name in os.environ}
    for name, answer in answers.items():
        print(f"{name}: {answer}", flush=True)
    sys.exit(set(answers.values()) != {"well"})
