# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's database as its administrator sees it: dumps, their restoration, its revision.

A dump is a file `<name>.gz` and, written last, `<name>.json`, which says what is in it: kind, database,
sha256, bytes, revision, and the rows of each table just before and just after it was made.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from typing import BinaryIO, Callable, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import sync_folder, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import digest_of, write_compressed
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import (
    DatabaseError,
    assign,
    match,
    parts_of,
    split,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address

VERSION_TABLE = "alembic_version"


class Database:
    """What the drivers have in common; most of it is asked of a single database, or of several as one."""

    kind = ""  # as URLs have it, without the name of a Python package
    units = ()  # of systemd's, one of which runs its server
    login = None  # the class of its accounts, where it has a password for each

    def __init__(self, name: str, user: str = "") -> None:
        """One of this host, used by an application's user."""
        self.name = name
        self.user = user

    @classmethod
    def is_set_up(cls) -> bool:
        """Whether this host's server is one that copies can be made of and loaded into, and not somebody else's work."""
        return True

    @classmethod
    def shuts_out(cls, address: Address, entrances: dict) -> str:
        """What to set, so that an application that is none of this collection's still gets in; empty where it does.

        `entrances` is what the part declares of that.
        """
        return ""

    @classmethod
    def may_be_used(cls, name: str, accounts: list) -> bool:
        """Whether one of the accounts has rights on a database, whose name the application has chosen."""
        return True

    @classmethod
    def check_names(cls, *names: str) -> None:
        """DatabaseError where a server's clients could take the name of a database or an account for something else."""

    @classmethod
    def client(cls, address: Address, password: str) -> tuple:
        """A person's client for a database: its command, and its environment, which has the password.

        FileNotFoundError with the program and its package where it is not installed.
        """
        raise NotImplementedError

    def members(self) -> list:
        """The databases that this consists of."""
        return [self]

    def tables(self) -> dict:
        """The number of rows of each table."""
        raise NotImplementedError

    def revision(self) -> list:
        """The database's revisions, from alembic's table; none where it has no such table."""
        raise NotImplementedError

    def schema(self) -> dict:
        """The columns of each table, and the type of each column."""
        raise NotImplementedError

    def check(self) -> None:
        """CommandError, DatabaseError, OSError or ValueError where it is not there, or does not answer."""
        self.revision()

    def shape(self) -> dict:
        """All that only a migration changes."""
        return {"revision": self.revision(), "tables": self.schema()}

    def content(self) -> Iterator[bytes]:
        """A consistent copy, in pieces."""
        raise NotImplementedError

    def load(self, dump: BinaryIO, manifest: dict, scratch: bool) -> None:
        """Replaces the database by a dump, once what was loaded is as the manifest says.

        With scratch, only to see that it could be done: the database is not touched.
        """
        raise NotImplementedError

    def size(self) -> int:
        """About how many bytes it has."""
        raise NotImplementedError

    def is_there(self) -> bool:
        """Whether this host's server has it, which may not be installed; CommandError where that does not answer."""
        raise NotImplementedError

    def remove(self) -> None:
        """Ends it for good, and what copies have left beside it."""
        raise NotImplementedError

    def by_hand(self) -> str:
        """The command by which a person removes it, who reads it in a message."""
        raise NotImplementedError

    def folders(self) -> list:
        """Where a copy needs its room, beside that of the dump."""
        return []

    def dump(self, path: str, **about: object) -> dict:
        """Makes path.gz and path.json, readable by root alone; what the latter says."""
        before = [(one.tables(), one.revision()) for one in self.members()]
        digest = write_compressed(path + ".gz", self.content())
        parts = [one.describe(*found) for one, found in zip(self.members(), before)]
        manifest = dict(
            about,
            **self.summarise(parts),
            sha256=digest,
            bytes=os.path.getsize(path + ".gz"),
            time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        write_json(path + ".json", manifest)
        sync_folder(os.path.dirname(path))
        return manifest

    def describe(self, before: dict, revision: list) -> dict:
        """What a dump that was made just now says of this database."""
        rows = {name: [before.get(name, 0), after] for name, after in self.tables().items()}
        return dict(kind=self.kind, database=self.name, revision=revision, tables=rows)

    def summarise(self, parts: list) -> dict:
        """What a dump says of all that is in it."""
        return parts[0]

    def restore(self, path: str, scratch: bool = False, renamed: Callable | None = None) -> dict:
        """Brings the database to what is in a dump, and sees that it is so; what the dump has.

        A dump of databases that have other names here comes with what gives its manifest theirs.
        """
        manifest = renamed(read_manifest(path)) if renamed else read_manifest(path)
        pairs = assign(path, parts_of(manifest), self.members())
        if digest_of(path + ".gz") != manifest["sha256"]:
            raise DatabaseError("%s.gz is damaged: its checksum is not the one in %s.json" % (path, path))
        with gzip.open(path + ".gz", "rb") as dump:
            for (part, database), content in zip(pairs, split(manifest, dump)):
                if database:
                    database.load(content, part, scratch)
        for part, database in pairs:
            if database and not scratch:
                compare(dict(part, tables=dict.fromkeys(part["tables"])), database.tables(), database.revision())
        return manifest


def members_of(database: Database | None) -> list:
    """The databases that one consists of; none where there is none."""
    return database.members() if database else []


def read_manifest(path: str) -> dict:
    """What a dump says of itself; DatabaseError where it did not come to its end."""
    try:
        with open(path + ".json", encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise DatabaseError("%s is no complete dump: %s" % (path, error)) from error


def compare(manifest: dict, tables: dict, revision: list) -> None:
    """DatabaseError where a database is not what a dump says.

    Rows are compared in those tables that nobody wrote to while the dump was made.
    """
    wrong = ["%s is missing" % name for name in manifest["tables"] if name not in tables]
    wrong += [
        "%s has %s instead of %d" % (name, count_of(tables[name], "row"), counts[1])
        for name, counts in manifest["tables"].items()
        if counts and counts[0] == counts[1] != tables.get(name, counts[1])
    ]
    wrong += ["%s should not be there" % name for name in tables if name not in manifest["tables"]]
    if sorted(revision) != sorted(manifest["revision"]):
        wrong.append("the revision is %s instead of %s" % (", ".join(revision), ", ".join(manifest["revision"])))
    if wrong:
        raise DatabaseError("What was restored differs from the dump: " + "; ".join(wrong))


def differences(before: dict, after: dict) -> list:
    """What of a database's revision, tables and columns is not as it was."""
    old, new = before["tables"], after["tables"]
    said = ["the table %s is %s" % (name, "gone" if name in old else "new") for name in sorted(set(old) ^ set(new))]
    for name in sorted(set(old) & set(new)):
        said += _differing_columns(name, old[name], new[name])
    if before["revision"] != after["revision"]:
        revisions = (", ".join(shape["revision"]) or "none" for shape in (after, before))
        said.append("the revision is %s instead of %s" % tuple(revisions))
    return said


def _differing_columns(table: str, old: dict, new: dict) -> list:
    said = ["%s has lost the column %s" % (table, name) for name in old if name not in new]
    said += ["%s has the new column %s" % (table, name) for name in new if name not in old]
    said += [
        "the column %s of %s is %s instead of %s" % (name, table, new[name], old[name])
        for name in old
        if new.get(name, old[name]) != old[name]
    ]
    return said


def compare_counts(tables: dict, now: dict) -> str:
    """How many rows there are more now than in a dump, by table."""
    more = {name: rows - tables.get(name, [0, 0])[1] for name, rows in now.items() if name != VERSION_TABLE}
    return ", ".join("%+d in %s" % (rows, name) for name, rows in more.items() if rows)


def compare_now(manifest: dict, database: Database) -> str:
    """The same of all the databases that are in a dump, as they are at this moment."""
    parts = parts_of(manifest)
    pairs = zip(parts, match(parts, database.members()))
    return ", ".join(filter(None, [compare_counts(part["tables"], one.tables()) for part, one in pairs if one]))
