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
RESTARTS = 2  # a release that ended so often before it was healthy will not become so


class Unhealthy(Exception):
    """Why a slot does not answer as it should.

    `reached` says whether the application may have got the request; `error` is the status that it does not
    say to be a passing one, or 0.
    """

    def __init__(self, message: str, reached: bool = True, error: int = 0) -> None:
        super().__init__(message)
        self.reached = reached
        self.error = error


class Visit(NamedTuple):
    """What a visitor gets, at the end of the redirects."""

    url: str
    answer: Answer
    text: str  # of all pages on the way
    redirected: bool

    def is_error(self) -> bool:
        """A page that one is sent to may be somebody else's to serve, or ask who one is: there only 5xx is an error."""
        return self.answer.status >= (500 if self.redirected else 400)


class Health(NamedTuple):
    """What a healthy slot answers, and in which time."""

    url: str = "/"
    host: str = "localhost"
    text: str = ""
    deadline: float = 60

    def visit(self, socket: str, release: str, timeout: float) -> Visit:
        """Asks as the proxy would; OSError or http.client.HTTPException where there is no answer."""
        headers = {"Host": self.host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        headers["X-Release"] = release  # answered also while the site is closed
        url, target, texts = self.url, self.url, []
        while target and len(texts) <= REDIRECTS:
            url, answer = target, get(socket, target, headers, timeout)
            texts.append(answer.text)
            target = self._redirect(url, answer)
        return Visit(url, answer, "\n".join(texts), len(texts) > 1)

    def _redirect(self, url: str, answer: Answer) -> str:
        """Where on this site an answer leads; empty where it leads elsewhere or nowhere."""
        if answer.status not in (301, 302, 303, 307, 308):
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
        answer, url = visit.answer, "%s leads to %s, which" % (self.url, visit.url) if visit.redirected else self.url
        if visit.is_error():
            said = "%s answered %d %s" % (url, answer.status, answer.text.strip()[:200])
            raise Unhealthy(said, error=0 if "Retry-After" in answer.headers else answer.status)
        if self.text not in visit.text:
            raise Unhealthy("%s answered %d, but without the text '%s'" % (url, answer.status, self.text))
        if answer.headers.get("X-Release") != release:
            said = answer.headers.get("X-Release", "none")
            raise Unhealthy("%s was answered by the release %s" % (url, said))


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
            raise Unhealthy("%s within %d s" % (error, self.deadline)) from error
        if len(self.processes - {0}) > RESTARTS:
            raise Unhealthy("it ended at its start, %d times; %s" % (RESTARTS, error)) from error
        if error.error and self.errors[-STEADY:] == [error.error] * STEADY:
            raise Unhealthy("%s, %d times" % (error, STEADY)) from error
        time.sleep(self.pause)
