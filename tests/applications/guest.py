"""A visitor with a browser: knows the site by its name, fills in forms, and looks at what a page loads."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from unittest import mock
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from machine import Visitor

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
ASSETS = {"script": "src", "img": "src", "link": "href", "source": "src"}
LINKS = {"stylesheet", "icon", "shortcut", "apple-touch-icon", "manifest", "preload", "modulepreload"}


@contextlib.contextmanager
def named(domain: str, address: str) -> Iterator[None]:
    """Within the block, the name leads to the address, in this process."""
    real = socket.getaddrinfo

    def lookup(host: str, *arguments: object, **options: object) -> list:
        return real(address if host == domain else host, *arguments, **options)

    with mock.patch("socket.getaddrinfo", lookup):
        yield


class Form:
    """A form of a page, with what its fields hold already."""

    def __init__(self, attributes: dict[str, str | None]) -> None:
        self.action = attributes.get("action") or ""
        self.fields: dict[str, str] = {}
        self.names: set[str] = set()

    def add(self, tag: str, attributes: dict[str, str | None]) -> None:
        """One of its fields; buttons and boxes that are not ticked send nothing."""
        name, kind = attributes.get("name"), (attributes.get("type") or "text").lower()
        if not name:
            return
        self.names.add(name)
        if tag == "input" and kind not in ("submit", "button", "image", "file", "reset"):
            if kind not in ("checkbox", "radio") or "checked" in attributes:
                self.fields[name] = attributes.get("value") or ""


class Page(HTMLParser):
    """The forms of a page, and the addresses of what it loads."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__()
        self.url, self.forms, self.assets = answer.url, [], []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self.forms.append(Form(attributes))
        elif tag in ("input", "textarea", "select", "button") and self.forms:
            self.forms[-1].add(tag, attributes)
        if (address := attributes.get(ASSETS.get(tag, ""))) and self.loads(tag, attributes):
            self.assets.append(urljoin(self.url, address))

    def loads(self, tag: str, attributes: dict[str, str | None]) -> bool:
        """Whether a browser fetches it with the page; a link may lead anywhere."""
        return tag != "link" or bool(LINKS & set((attributes.get("rel") or "").split()))

    def own_assets(self) -> list[str]:
        """Those of the site itself."""
        own = urlsplit(self.url).netloc
        return list(dict.fromkeys(url for url in self.assets if urlsplit(url).netloc == own))


class Guest(Visitor):
    """Somebody who comes for the first time; cookies are kept."""

    def request(self, method: str, url: str, **options: object) -> requests.Response:
        """An answer below 400, whatever led to it; else an AssertionError that shows its text."""
        answer = super().request(method, url, **options)
        assert answer.ok, f"{method} {url}: {answer.status_code}: {' '.join(answer.text.split())[:300]}"
        return answer

    def submit(self, path: str, **fields: str) -> requests.Response:
        """Opens a page and sends its form that has these fields."""
        answer = self.get(path)
        forms = [form for form in Page(answer).forms if form.names >= set(fields)]
        assert forms, f"{path}: no form with {', '.join(fields)}"
        action = urljoin(answer.url, forms[0].action)
        return self.post(action, data={**forms[0].fields, **fields}, headers={"Referer": answer.url})

    def load(self, path: str) -> int:
        """Opens a page with all that it loads from the site itself; how much that is."""
        assets = Page(self.get(path)).own_assets()
        for asset in assets:
            answer = self.get(asset)
            assert answer.content and answer.status_code == 200, f"{asset}: {answer.status_code}, {len(answer.content)} bytes"
        return len(assets)
