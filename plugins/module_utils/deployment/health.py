# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an application is healthy: asked as the proxy would ask, and gently, since each error may be a mail to somebody."""

from __future__ import annotations

import http.client
import time
import urllib.parse
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.unix_http import Answer, get

REDIRECTS = 5  # that are followed
UNTIL_REACHED, ONCE_REACHED = 0.1, 1  # seconds between two requests
STEADY = 5  # the same error, so often, does not end by itself
GUESSES = ("/healthz", "/health", "/ping", "/login", "/auth/login")  # pages that may answer whoever asks
RESTARTS = 2  # a release that ended so often before it was healthy will not become so


ADVICE = (
    "Set flask_health_url to a page that answers whoever asks (%(found)s), or, if %(status)d is what %(url)s answers when "
    "all is well, flask_health_status: [%(status)d]. "
)


class Unhealthy(Exception):
    """Why a slot does not answer as it should.

    `reached` says whether the application may have got the request; `error` is the status that it does not
    say to be a passing one, or 0; `status` is any status that is not accepted.
    """

    def __init__(self, message: str, reached: bool = True, error: int = 0, status: int = 0) -> None:
        super().__init__(message)
        self.reached = reached
        self.error = error
        self.status = status


class Visit(NamedTuple):
    """What a visitor gets, at the end of the redirects."""

    url: str
    answer: Answer
    text: str  # of all pages on the way
    redirected: bool
    accepted: tuple = ()

    def is_error(self) -> bool:
        """A page that one is sent to may be somebody else's to serve, or ask who one is: there only 5xx is an error."""
        if self.accepted:
            return self.answer.status not in self.accepted
        return self.answer.status >= (500 if self.redirected else 400)


class Health(NamedTuple):
    """What a healthy slot answers, and in which time: a status of `accepted`, or without any, what is no error."""

    url: str = "/"
    host: str = "localhost"
    text: str = ""
    deadline: float = 60
    accepted: tuple = ()
    redirect: bool = True  # whether redirects on this site are followed

    def visit(self, socket: str, release: str, timeout: float) -> Visit:
        """Asks as the proxy would; OSError or http.client.HTTPException where there is no answer."""
        headers = {"Host": self.host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        headers["X-Release"] = release  # answered also while the site is closed
        url, target, texts = self.url, self.url, []
        while target and len(texts) <= REDIRECTS:
            url, answer = target, get(socket, target, headers, timeout)
            texts.append(answer.text)
            target = self._redirect(url, answer)
        return Visit(url, answer, "\n".join(texts), len(texts) > 1, self.accepted)

    def _redirect(self, url: str, answer: Answer) -> str:
        """Where on this site an answer leads; empty where it leads elsewhere or nowhere."""
        if answer.status not in (301, 302, 303, 307, 308) or answer.status in self.accepted or not self.redirect:
            return ""
        here = "https://%s%s" % (self.host, url)
        try:
            target = urllib.parse.urlsplit(urllib.parse.urljoin(here, answer.headers.get("Location", "")))
        except ValueError:
            return ""
        if target.netloc.lower() != self.host.lower():
            return ""
        path = urllib.parse.urlunsplit(("", "", target.path or "/", target.query, ""))
        return urllib.parse.quote(path, safe="%/?:@!$&'()*+,;=~")

    def check(self, socket: str, release: str) -> None:
        """Unhealthy where it is another release that answers, or not well."""
        try:
            visit = self.visit(socket, release, timeout=10)
        except (OSError, http.client.HTTPException) as error:
            reached = not isinstance(error, (FileNotFoundError, ConnectionRefusedError))
            raise Unhealthy("%s on its socket gave no answer (%s)" % (self.url, error), reached) from error
        answer, url = visit.answer, "%s redirects to %s, which" % (self.url, visit.url) if visit.redirected else self.url
        if visit.is_error():
            said = "%s answered %d %s" % (url, answer.status, answer.text.strip()[:200])
            passing = "Retry-After" in answer.headers
            raise Unhealthy(said, error=0 if passing else answer.status, status=0 if passing else answer.status)
        if self.text not in visit.text:
            raise Unhealthy("%s answered %d, but without the text '%s'" % (url, answer.status, self.text))
        if answer.headers.get("X-Release") != release:
            said = answer.headers.get("X-Release", "none")
            raise Unhealthy("%s was answered by the release %s" % (url, said))

    def advice(self, socket: str, release: str, error: Unhealthy) -> str:
        """What to set where the application runs, and its health URL is just no page that answers whoever asks."""
        if error.status not in (301, 302, 303, 307, 308, 401, 403, 404, 405):
            return ""
        page = next(filter(lambda url: self._answers(url, socket, release), GUESSES), "")
        found = "%s answers: flask_health_url: %s" % (page, page) if page else "such as a page of its own for that, /healthz"
        return ADVICE % dict(url=self.url, status=error.status, found=found)

    def _answers(self, url: str, socket: str, release: str) -> bool:
        try:
            answer = self._replace(url=url, accepted=(), redirect=False).visit(socket, release, timeout=2).answer
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == 200


def health_of(params: dict) -> Health:
    """What a task says of it."""
    return Health(
        params["health_url"], params["host"], params["health_text"], params["deadline"],
        tuple(params["health_status"]), params["health_redirect"],
    )


class Patience:
    """How long a slot that is not healthy yet is waited for, and how often it is asked."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.end = time.monotonic() + deadline
        self.pause = UNTIL_REACHED
        self.errors = []
        self.processes = set()

    def wait(self, error: Unhealthy, process: int) -> None:
        """Until the next request; Unhealthy where that is of no use any more."""
        self.errors.append(error.error)
        self.processes.add(process)
        if error.reached:
            self.pause = ONCE_REACHED
        if time.monotonic() > self.end:
            raise Unhealthy("%s within %d s" % (error, self.deadline), status=error.status) from error
        if len(self.processes - {0}) > RESTARTS:
            raise Unhealthy("it ended at its start, %d times; %s" % (RESTARTS, error)) from error
        if error.error and self.errors[-STEADY:] == [error.error] * STEADY:
            raise Unhealthy("%s, %d times" % (error, STEADY), status=error.status) from error
        time.sleep(self.pause)
