"""What the machine finds on its network beside the neighbours: a server that has the time."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from machine import Machine

NTP_EPOCH = 2208988800  # seconds from 1900 to 1970


def answer_the_time(server: socket.socket, ended: threading.Event) -> None:
    """A server of SNTP that has this machine's time."""
    while not ended.is_set():
        try:
            asked, address = server.recvfrom(512)
        except TimeoutError:
            continue
        now = time.time() + NTP_EPOCH
        stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
        head = struct.pack("!BBbb11s", 0x24, 1, 6, -20, bytes(8) + b"LOC") + b"\0"
        server.sendto(head + stamp + asked[40:48] + stamp + stamp, address)


@pytest.fixture(scope="session", autouse=True)
def time_server(machine: Machine) -> Iterator[None]:
    """The one that the host's network names."""
    ended = threading.Event()
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((machine.own_address(), 123))
        server.settimeout(0.5)
        serving = threading.Thread(target=answer_the_time, args=(server, ended))
        serving.start()
        yield
        ended.set()
        serving.join()
