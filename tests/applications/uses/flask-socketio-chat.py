"""Two people enter a room, and what one of them writes reaches the other, by polling and by a WebSocket.

`wsgi.py` is there because the application has a `SECRET_KEY` of its own in its code, with which everybody could enter as anybody.
It keeps nothing, and has no static files: its scripts come from other servers. They connect to `http://`, which a browser lets them on a page of HTTPS by
`upgrade-insecure-requests`.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl

from guest import Guest
from machine import ANY_CERTIFICATE

OLDER = "a56625d"
MAIN = "/"
STATIC = ""
KEEPS = False
POLLING = {"EIO": "4", "transport": "polling"}


class Client:
    """As much of Socket.IO as polling needs."""

    def __init__(self, guest: Guest, name: str) -> None:
        guest.submit("/", name=name, room="kitchen")
        self.guest, self.session = guest, {}
        self.session = {"sid": json.loads(self.poll()[1:])["sid"]}
        self.say("40/chat,")
        assert self.poll().startswith("40/chat,")
        self.send("joined", {})

    def poll(self) -> str:
        """What came meanwhile."""
        return self.guest.get("/socket.io/", params=POLLING | self.session, headers=self.origin()).text

    def say(self, packet: str) -> None:
        """One packet as it is."""
        self.guest.post("/socket.io/", params=POLLING | self.session, data=packet, headers=self.origin())

    def origin(self) -> dict[str, str]:
        """What a browser adds."""
        return {"Origin": f"https://{self.guest.address}"}

    def send(self, event: str, content: dict) -> None:
        """An event."""
        self.say(f"42/chat,{json.dumps([event, content])}")


def write(guest: Guest, text: str) -> None:
    listener = Client(Guest(guest.address), "ana")
    speaker = Client(guest, "bob")
    speaker.send("text", {"msg": text})
    heard = ""
    while f"bob: {text}" not in heard:
        heard = listener.poll()
    open_websocket(guest)


def open_websocket(guest: Guest) -> None:
    """A WebSocket is opened, and the server's first packet comes over it."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", f"Host: {guest.address}", "Upgrade: websocket",
        "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
        f"Origin: https://{guest.address}",
    ]
    with socket.create_connection((guest.address, 443), timeout=20) as plain:
        with ANY_CERTIFICATE.wrap_socket(plain, server_hostname=guest.address) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            said = received(connection)
    assert said.startswith(b"HTTP/1.1 101 ") and b'0{"sid":' in said, said[:200]


def received(connection: ssl.SSLSocket) -> bytes:
    """Everything up to the end of the first packet."""
    said = b""
    while b"}" not in said and (part := connection.recv(4096)):
        said += part
    return said


def read(guest: Guest) -> str:
    return ""
