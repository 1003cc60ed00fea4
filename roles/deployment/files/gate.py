"""In front of the application in each of its processes: says which release answers, believes who may
be believed, and refuses requests while the site is updated or maintained.

Whoever updates the site puts a file <name>.closed into this folder. A request that writes shares the
folder's lock for as long as it takes, so that those in flight can be waited for. What comes over a
WebSocket may write, too: it is ended when the gate closes, and when the server stops.
"""

import contextlib
import fcntl
import json
import os
import socket
import struct
import threading
import time

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
MESSAGE = "This site is being updated. Please try again in a moment."
LOOKS = 0.5  # seconds between two looks whether WebSockets have to end
ROOT = 0
# The group nogroup: who connects as it passes on what visitors say of themselves.
UNBELIEVED = 65534
RESTARTED = b"\x88\x02" + (1012).to_bytes(2, "big")  # the frame that ends a WebSocket, and why


class Gate:
    """A WSGI application around another.

    `is_stopping` says whether the server is to end, and `connection_of` which socket a request has come by.
    """

    def __init__(self, application, is_stopping=lambda: False, connection_of=lambda environ: None):
        self.application = application
        self.is_stopping = is_stopping
        self.connection_of = connection_of
        self.conversations = Conversations(lambda: is_stopping() or self.is_closed_for_conversations())
        self.folder = os.path.dirname(os.path.abspath(__file__))
        self.release = os.environ.get("FLASK_RELEASE", "")
        self.closed_for_writes = (os.environ.get("FLASK_SLOT", "") + ".closed", "writes.closed")

    def __call__(self, environ, start_response):
        user, group = sender(self.connection_of(environ))
        if group == UNBELIEVED:
            forget_forwarded(environ)
        if user not in (ROOT, None):  # the deployment is root's
            environ.pop("HTTP_X_RELEASE", None)
        released = [] if group == UNBELIEVED else [("X-Release", self.release)]

        def start(status, headers, *rest):
            return start_response(status, [*headers, *streaming(headers), *released], *rest)

        if environ.get("HTTP_UPGRADE", "").lower() == "websocket":
            return self.converse(environ, start)
        reads = environ["REQUEST_METHOD"] in SAFE
        # The deployment asks for the release by name, and no visitor.
        if self.is_closed("site.closed") and not (reads and environ.get("HTTP_X_RELEASE") == self.release):
            return self.refuse("site.closed", start)
        return self.read(environ, start) if reads else self.write(environ, start)

    def read(self, environ, start):
        """A request that changes nothing; a stream of events ends after one where the server stops."""
        types = []

        def note(status, headers, *rest):
            types.extend(value for name, value in headers if name.lower() == "content-type")
            return start(status, headers, *rest)

        parts = self.application(environ, note)
        return Events(parts, self.is_stopping) if "".join(types).startswith("text/event-stream") else parts

    def converse(self, environ, start):
        """A WebSocket; it takes as long as the application's call."""
        if self.is_closed("site.closed"):
            return self.refuse("site.closed", start)
        with self.conversations.keep(self.connection_of(environ)):
            return self.write(environ, start)

    def write(self, environ, start):
        """A request that may change something."""
        lock = os.open(self.folder, os.O_RDONLY)
        answer = None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            for name in self.closed_for_writes:
                if self.is_closed(name):
                    return self.refuse(name, start)
            answer = Answer(self.application(environ, start), lock)
            return answer
        except BlockingIOError:
            return self.refuse(self.closed_for_writes[0], start)
        finally:
            if answer is None:
                os.close(lock)

    def is_closed_for_conversations(self):
        return any(self.is_closed(name) for name in ("site.closed", *self.closed_for_writes))

    def is_closed(self, name):
        return os.path.exists(os.path.join(self.folder, name))

    def refuse(self, name, start):
        """503, with the time after which to try again."""
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                said = json.load(file)
        except OSError:  # it has been opened this moment
            said = {}
        text = (said.get("message") or MESSAGE).encode() + b"\n"
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(text))),
            ("Retry-After", str(said.get("retry_after", 1))),
            ("Cache-Control", "no-store"),
        ]
        start("503 Service Unavailable", headers)
        return [text]


def sender(connection):
    """The user and the group of the process that has connected; None for both if the server gives no connection."""
    try:
        return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:]
    except (AttributeError, OSError):
        return None, None


def forget_forwarded(environ):
    """Takes away what only a proxy can know, and a visitor can claim."""
    for name in list(environ):
        if name.startswith("HTTP_X_FORWARDED_") or name in ("HTTP_FORWARDED", "HTTP_X_REAL_IP"):
            del environ[name]
    environ["wsgi.url_scheme"] = "http"


def streaming(headers):
    """The header that has the proxy pass on each part of an answer of unknown length as it comes."""
    names = [name.lower() for name, dummy in headers]
    return [] if "content-length" in names or "x-accel-buffering" in names else [("X-Accel-Buffering", "no")]


class Conversations:
    """The connections of a process's WebSockets, which are ended when `have_to_end` says so."""

    def __init__(self, have_to_end):
        self.have_to_end = have_to_end
        self.connections = []
        self.watch = None
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def keep(self, connection):
        """One more while the application serves it; the first one has all of them watched."""
        with self.lock:
            self.connections.append(connection)
            if self.watch is None:
                self.watch = threading.Thread(target=self.look, daemon=True)
                self.watch.start()
        try:
            yield
        finally:
            with self.lock:
                self.connections.remove(connection)

    def look(self):
        while True:
            time.sleep(LOOKS)
            if self.have_to_end():
                with self.lock:
                    self.end()

    def end(self):
        for connection in self.connections:
            with contextlib.suppress(OSError, AttributeError):  # it is closed already, or the server gives none
                connection.send(RESTARTED, socket.MSG_DONTWAIT)
            with contextlib.suppress(OSError, AttributeError):
                connection.shutdown(socket.SHUT_RDWR)


class Events:
    """A stream of events, which a client asks for again where it has ended."""

    def __init__(self, parts, is_stopping):
        self.parts = parts
        self.is_stopping = is_stopping

    def __iter__(self):
        for part in self.parts:
            yield part
            if self.is_stopping():
                break

    def close(self):
        if hasattr(self.parts, "close"):
            self.parts.close()


class Answer:
    """An application's answer, and the lock that is held until it has been sent."""

    def __init__(self, parts, lock):
        self.parts = parts
        self.lock = lock

    def __iter__(self):
        return iter(self.parts)

    def close(self):
        try:
            if hasattr(self.parts, "close"):
                self.parts.close()
        finally:
            os.close(self.lock)
