# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another application's backup gets the names of the one that it is restored to: its databases, its folders, its settings."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import edit, read
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import named
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

ADDRESS = "DATABASE_URL"
WHOLE = r"(?<![\w.-])%s(?![\w.-])"
STILL = "The name %(of)s is still in the value of %(keys)s in .env. If that is not meant, set another one in flask_env."


class Renaming(NamedTuple):
    """From another application's names to those of this one."""

    site: Site
    of: str  # the other one's name
    databases: tuple = ()  # the names of those that this one uses
    matched: tuple = ()  # ((kind, name) of one in the backup, the name of this one's that it belongs to)

    def root(self) -> str:
        """The other one's folder, which may be on another host."""
        return os.path.join(os.path.dirname(self.site.root), self.of)

    def is_here(self) -> bool:
        """Whether the other application is on this host."""
        return os.path.isdir(self.root())

    def _folders(self) -> list:
        """(its folder, this one's)."""
        log = os.path.join(os.path.dirname(self.site.log), self.of)
        return [(self.root(), self.site.root), (log, self.site.log), ("/var/cache/" + self.of, "/var/cache/" + self.site.name)]

    def path(self, text: str) -> str:
        """A text with this one's folders in place of the other one's."""
        for old, new in self._folders():
            text = re.sub(WHOLE % re.escape(old), lambda dummy, new=new: new, text)
        return text

    def database(self, kind: str, name: str) -> str:
        """What a database is called here. A SQLite file whose name the application itself has chosen keeps that."""
        if kind != SQLite.kind:
            return self.site.name if name == self.of else name
        moved = self.path(name)
        folder, file = os.path.split(moved)
        renamed = os.path.join(folder, self.site.name + ".db") if file == self.of + ".db" else moved
        return next((one for one in (renamed, moved) if one in self.databases), renamed)

    def dump(self, manifest: dict) -> dict:
        """What a dump says of itself, with the names that its databases have here."""
        if "parts" in manifest:
            return dict(manifest, parts=[self.dump(part) for part in manifest["parts"]])
        name = dict(self.matched).get(named(manifest)) or self.database(*named(manifest))
        return dict(manifest, database=name, account=self.of)

    def settings(self, text: str, own: dict) -> str:
        """Its .env with this one's folders, and the address of this one's database wherever there was that of its own."""
        found, changed = read(text), {}
        for key, value in found.items():
            is_address = value and value == found.get(ADDRESS)
            renamed = own.get(ADDRESS, value) if is_address else self.path(value)
            if renamed != value:
                changed[key] = renamed
        return edit(text, changed, [])

    def still_named(self, text: str, own: dict) -> list:
        """The keys of a .env, but for this one's own, whose values have the other one's name in them."""
        word = re.compile(r"(?<![A-Za-z0-9])%s(?![A-Za-z0-9])" % re.escape(self.of))
        return [key for key, value in read(text).items() if key not in own and word.search(value)]

    def note(self, keys: list) -> list:
        return [STILL % dict(keys=", ".join(keys), of=self.of)] if keys else []
