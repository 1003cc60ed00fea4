"""Visitors in number, who read and write, and what became of each of their requests."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlencode

PAGES = ("/posts/count", "/", "/static/style.css")
POST_EVERY = 5
NEWCOMER_EVERY = 4  # has no factor in common with the others, so newcomers ask for everything
PATIENCE = 20  # seconds
KEPT = 20  # failures, as text


@dataclass(frozen=True)
class Answer:
    """What came back; where there was no answer, status is 0 and problem says why."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def last(self) -> bool:
        """Whether the server closes the connection after it."""
        return self.headers.get("connection", "").lower() == "close"

    def __str__(self) -> str:
        return self.problem or str(self.status)


@dataclass
class Report:
    """Every request of a run is in one of the counts; times are in seconds."""

    gets: int = 0
    failed_gets: int = 0  # a status from 400, or no answer
    get_failures: list[str] = field(default_factory=list)
    longest_get: float = 0.0
    posts: int = 0
    stored: int = 0  # 201
    refused: int = 0  # 503 that says when to try again
    failed_posts: int = 0  # anything else: nobody knows whether they are stored
    post_failures: list[str] = field(default_factory=list)
    bodies_stored: set[str] = field(default_factory=set)
    bodies_refused: set[str] = field(default_factory=set)
    versions: list[str] = field(default_factory=list)  # in the order of their first answers
    refused_from: float = 0.0
    refused_until: float = 0.0

    @property
    def requests(self) -> int:
        """All of them."""
        return self.gets + self.posts

    @property
    def window(self) -> float:
        """From the first refused POST to the last."""
        return self.refused_until - self.refused_from

    def count_get(self, path: str, answer: Answer, seconds: float) -> None:
        """One page that a visitor waited for."""
        self.gets += 1
        self.longest_get = max(self.longest_get, seconds)
        self._see(answer)
        if not 0 < answer.status < 400:
            self.failed_gets += 1
            self.get_failures += [f"GET {path}: {answer}"][: KEPT - len(self.get_failures)]

    def count_post(self, body: str, answer: Answer) -> None:
        """One post, which is stored, refused, or neither for certain."""
        self.posts += 1
        self._see(answer)
        if answer.status == 201:
            self.stored += 1
            self.bodies_stored.add(body)
        elif answer.status == 503 and "retry-after" in answer.headers:
            self.refused += 1
            self.bodies_refused.add(body)
            self.refused_until = time.monotonic()
            self.refused_from = self.refused_from or self.refused_until
        else:
            self.failed_posts += 1
            self.post_failures += [f"POST {body}: {answer}"][: KEPT - len(self.post_failures)]

    def _see(self, answer: Answer) -> None:
        version = answer.headers.get("x-version")
        if version and version not in self.versions:
            self.versions.append(version)


def settle(report: Report, bodies_in_database: set[str]) -> list[str]:
    """Where the visitors' count and the database's differ."""
    lost = sorted(report.bodies_stored - bodies_in_database)
    kept = sorted(report.bodies_refused & bodies_in_database)
    problems = [f"{body}: answered 201, and not in the database" for body in lost]
    return problems + [f"{body}: answered 503, and in the database" for body in kept]


def parse(data: bytes, ended: bool) -> Answer | None:
    """The answer once all of it is there; ended is whether the server closed the connection."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    if not head.startswith(b"HTTP/1."):
        raise ValueError(f"no HTTP: {bytes(head[:40])!r}")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    answer = Answer(int(first.split()[1]), headers)
    if answer.status in (204, 304):
        return answer
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return answer if (b"\r\n" + body).endswith(b"\r\n0\r\n\r\n") else None
    if "content-length" in headers:
        return answer if len(body) >= int(headers["content-length"]) else None
    return answer if ended else None


class ClosedUnanswered(ConnectionError):
    """The connection was closed before the first byte of an answer."""


class Connection(asyncio.Protocol):
    """One connection to the server, for one request at a time."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.news.set()

    def eof_received(self) -> None:
        self.ended = True
        self.news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        self.news.set()

    @property
    def usable(self) -> bool:
        """Whether another request can be written to it."""
        return not (self.ended or self.received or self.transport.is_closing())

    async def ask(self, request: bytes) -> Answer:
        """The whole answer."""
        self.transport.write(request)
        while not (answer := parse(bytes(self.received), self.ended)):
            if self.ended and self.received:
                raise ConnectionError(f"closed after {len(self.received)} bytes of the answer")
            if self.ended:
                raise ClosedUnanswered("closed before an answer")
            self.news.clear()
            await self.news.wait()
        self.received.clear()
        return answer


class Traffic:
    """Requests to a host, from the beginning of the block to its end; at another port than HTTPS' they are plain.

    The name is the one that visitors ask for, the address where they have none.

    With a rate, so many in a second, whether or not the earlier ones have been answered; without
    one, as many as the given number of visitors get answered. Every fifth is a POST, every fourth
    comes on a connection of its own.
    """

    def __init__(
        self, address: str, rate: float | None = 40, visitors: int = 16, prefix: str = "", port: int = 443, name: str = ""
    ) -> None:
        self.address = address
        self.name = name or address
        self.port = port
        self.rate = rate
        self.visitors = visitors
        self.prefix = prefix or uuid.uuid4().hex[:8]
        self.found = Report()
        self.idle: list[Connection] = []
        self.ending = False
        self.tls = ssl.create_default_context() if port == 443 else None
        if self.tls:
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE
        self.thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Traffic:
        self.done = self.thread.submit(asyncio.run, self._run())
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending = True
        self.thread.shutdown()
        self.done.result()

    def report(self) -> Report:
        """What became of the requests, after the block."""
        assert self.ending, "the traffic has not ended"
        return self.found

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            numbers = itertools.count()
            if self.rate:
                await self._arrive(group, numbers, self.rate)
            else:
                for _ in range(self.visitors):
                    group.create_task(self._stay(numbers))
        for connection in self.idle:
            connection.transport.abort()

    async def _arrive(self, group: asyncio.TaskGroup, numbers: Iterator[int], rate: float) -> None:
        """Open loop: who comes next does not wait for who came before."""
        begin = time.monotonic()
        while not self.ending:
            number = next(numbers)
            due = begin + number / rate
            await asyncio.sleep(due - time.monotonic())
            group.create_task(self._visit(number, due))

    async def _stay(self, numbers: Iterator[int]) -> None:
        """Closed loop: one visitor's requests, one after the other."""
        while not self.ending:
            await self._visit(next(numbers), time.monotonic())

    async def _visit(self, number: int, due: float) -> None:
        """One request, counted; due is when a visitor would have sent it."""
        newcomer = number % NEWCOMER_EVERY == NEWCOMER_EVERY - 1
        if number % POST_EVERY == POST_EVERY - 1:
            body = f"{self.prefix}-{number}"
            self.found.count_post(body, await self._try("POST", "/posts", newcomer, body))
            return
        path = PAGES[(number - number // POST_EVERY) % len(PAGES)]
        answer = await self._try("GET", path, newcomer)
        self.found.count_get(path, answer, time.monotonic() - due)

    async def _try(self, method: str, path: str, newcomer: bool, body: str = "") -> Answer:
        form = urlencode({"body": body}) if body else ""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.name}"]
        if form:
            lines.append("Content-Type: application/x-www-form-urlencoded")
            lines.append(f"Content-Length: {len(form)}")
        request = "\r\n".join([*lines, "", form]).encode()
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._answer(request, newcomer, again=method == "GET")
        except TimeoutError:
            return Answer(0, problem=f"no answer within {PATIENCE} s")
        except (OSError, ValueError) as error:
            return Answer(0, problem=f"{type(error).__name__}: {error}")

    async def _answer(self, request: bytes, newcomer: bool, again: bool) -> Answer:
        """Asks on an open connection; again is whether it may ask twice where that was closed."""
        if not newcomer and (connection := self._open_connection()):
            try:
                return await self._ask(connection, request, keep=True)
            except ClosedUnanswered:
                if not again:
                    raise
        loop = asyncio.get_running_loop()
        named = {"server_hostname": self.name} if self.tls else {}
        _, connection = await loop.create_connection(Connection, self.address, self.port, ssl=self.tls, **named)
        return await self._ask(connection, request, keep=not newcomer)

    def _open_connection(self) -> Connection | None:
        """The one that was used last; those that the server has closed meanwhile are forgotten."""
        while self.idle:
            connection = self.idle.pop()
            if connection.usable:
                return connection
            connection.transport.abort()
        return None

    async def _ask(self, connection: Connection, request: bytes, keep: bool) -> Answer:
        kept = False
        try:
            answer = await connection.ask(request)
            if kept := keep and not answer.last and connection.usable:
                self.idle.append(connection)
            return answer
        finally:
            if not kept:
                connection.transport.abort()
