"""In front of the application in each of its processes: says which release answers, and refuses
requests while the site is updated or maintained.

Whoever updates the site puts a file <name>.closed into this folder. A request that writes shares the
folder's lock for as long as it takes, so that those in flight can be waited for.
"""

import fcntl
import json
import os

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
MESSAGE = "This site is being updated. Please try again in a moment."


class Gate:
    """A WSGI application around another."""

    def __init__(self, application):
        self.application = application
        self.folder = os.path.dirname(os.path.abspath(__file__))
        self.release = os.environ.get("FLASK_RELEASE", "")
        self.closed_for_writes = (os.environ.get("FLASK_SLOT", "") + ".closed", "writes.closed")

    def __call__(self, environ, start_response):
        def start(status, headers, *rest):
            return start_response(status, [*headers, ("X-Release", self.release)], *rest)

        reads = environ["REQUEST_METHOD"] in SAFE
        # The deployment asks for the release by name; the proxy lets no visitor do that.
        if self.is_closed("site.closed") and not (reads and environ.get("HTTP_X_RELEASE") == self.release):
            return self.refuse("site.closed", start)
        return self.application(environ, start) if reads else self.write(environ, start)

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
