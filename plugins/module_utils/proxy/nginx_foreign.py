# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites of nginx that somebody else has set up, and that lead to an application."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign_sites import ForeignSite, ForeignSites
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.nginx import (
    AVAILABLE,
    FOLDER,
    OWN_FILES,
    OWN_FOLDER,
    SERVER_NAME,
    SITES,
)

# A text in quotes, a comment, a variable, or a sign that ends something.
TOKEN = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|(?<!\S)#[^\n]*|\$\{\w+\}|[{};]", re.S)
CERTIFICATE = re.compile(r"^\s*ssl_certificate(?:_key)?\s+[\"']?([^\s;\"']+)", re.M)
PASS = re.compile(r"(?:^|[{;\s])(?:proxy|fastcgi|uwsgi|scgi|grpc)_pass\s+([^;]+);")
HOST = re.compile(r"[\"']?(?:\w+://)?([\w.-]+)")
SERVES = re.compile(r"(?:^|[{;])\s*(?:\w+_pass|root|alias|return\s+2\d\d)\s")
SENDS_AWAY = re.compile(r"(?:^|[{;])\s*(?:return\s+[34]\d\d|rewrite\s[^;]*\s(?:permanent|redirect)\s*;)")
NO_NAME = "requests without a host name of their own"
NO_SERVER = "what other files have the servers of"


def uncommented(text: str) -> str:
    return TOKEN.sub(lambda token: "" if token.group().startswith("#") else token.group(), text)


def leads_to(text: str, places: list) -> bool:
    """Whether a site has one of an application's ports or sockets."""
    for place in places:
        pattern = r"(?:localhost|127\.0\.0\.1|\[::1\]):%s\b" % place if place.isdigit() else re.escape(place) + r"(?=[\s;:/\"'])"
        if re.search(pattern, text):
            return True
    return False


def blocks_of(text: str) -> list:
    """(words before it, content) of each outermost block."""
    found, depth, start, words = [], 0, 0, []
    for token in TOKEN.finditer(text):
        if token.group() == "{":
            if depth == 0:
                words, inner = text[start:token.start()].split(), token.end()
            depth += 1
        elif token.group() == "}":
            depth -= 1
            if depth == 0:
                found.append((words, text[inner:token.start()]))
                start = token.end()
        elif token.group() == ";" and depth == 0:
            start = token.end()
    return found


def names_of(text: str) -> list:
    return list(dict.fromkeys(name for line in SERVER_NAME.findall(text) for name in line.split()))


def others_in(text: str, places: list) -> list:
    """What else a file leads to, which has a site that leads to one of the places: hosts and targets."""
    blocks = blocks_of(text)
    upstreams = {words[1] for words, content in blocks if words[:1] == ["upstream"] and words[1:] and leads_to(content, places)}
    servers = [content for words, content in blocks if words == ["server"]]

    def is_own(target: str) -> bool:
        host = HOST.match(target)
        return leads_to(target + ";", places) or bool(host and host.group(1) in upstreams)

    own = [one for one in servers if any(map(is_own, PASS.findall(one)))]
    names = {name for one in own for name in names_of(one)} - {"_"}
    found = [] if own else [NO_SERVER]
    for one in servers:
        hosts = set(names_of(one)) - {"_"}
        if one in own:
            found += [target.strip() for target in PASS.findall(one) if not is_own(target)]
        elif not (hosts and hosts <= names) and (SERVES.search(one) or not SENDS_AWAY.search(one)):
            found.append(" ".join(sorted(hosts)) or NO_NAME)
    return list(dict.fromkeys(found))


class NginxForeignSites(ForeignSites):
    """The files are where Debian's package has them."""

    kind = "nginx"
    unit = "nginx.service"
    test = ("nginx", "-t")
    changed = (FOLDER, "/etc/systemd/system/nginx.service.d")

    def find(self, places: list) -> list:
        found = []
        for path, text in self._texts():
            if os.path.realpath(path) not in OWN_FILES and leads_to(text, places):
                certificates = tuple(dict.fromkeys(CERTIFICATE.findall(text)))
                found.append(ForeignSite(path, tuple(names_of(text)), certificates, tuple(others_in(text, places))))
        return found

    def with_files(self, folder: str) -> list:
        named = re.compile(re.escape(folder) + r"(?=[\s;/\"'])")
        return [path for path, text in self._texts() if named.search(text)]

    def _texts(self) -> list:
        """(path, text without comments) of each file that may have a site."""
        paths = sorted(path for pattern in SITES for path in glob.glob(pattern))
        return [(path, uncommented(text_of(path))) for path in paths]

    def files(self, site: ForeignSite) -> list:
        return list(dict.fromkeys([site.path, os.path.realpath(site.path)]))

    def paths_of(self, app: str) -> list:
        return [*self.enabled(app), AVAILABLE + app, OWN_FOLDER + app]

    def enabled(self, app: str) -> list:
        return [FOLDER + "/sites-enabled/" + app]
