# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's database as its administrator sees it: dumps, their restoration, its revision.

A dump is a file `<name>.gz` and, written last, `<name>.json`, which says what is in it: kind, database,
sha256, bytes, revision, and the rows of each table just before and just after it was made.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from typing import BinaryIO, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils import _sqlite_owner, _site
from ansible_collections.selfhost.flask.plugins.module_utils._dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils._files import sync_folder, write_file
from ansible_collections.selfhost.flask.plugins.module_utils._site import CommandError, Site, run

VERSION_TABLE = "alembic_version"
BLOCK = 1 << 20
MARK = b"-- selfhost.flask: what follows belongs to the whole database\n"
LOCAL = ("localhost", "127.0.0.1", "[::1]", "")
# As SQLAlchemy reads one: a password may have any sign but `@`, and a name is not unquoted.
URL = re.compile(
    r"(?P<kind>\w+)(?:\+\w+)?://(?:[^:/]*(?::[^@]*)?@)?(?P<host>\[[^/?]+\]|[^/:?]*)(?::[^/?]*)?"
    r"(?:/(?P<name>[^?]*))?(?:\?.*)?", re.S
)
LOCK_WAIT = 2  # seconds that a swap of tables makes readers wait for a long transaction, at most
SWAPS = 90
SAFE_NAME = re.compile(r"[^-'\"\\;\x00-\x1f\x7f][^'\"\\;\x00-\x1f\x7f]*")
KINDS = ("TRIGGER", "EVENT", "PROCEDURE", "FUNCTION", "PACKAGE", "PACKAGE BODY")
CLIENT = shutil.which("mariadb") or "mysql"  # MariaDB complains of the old names
DUMPER = shutil.which("mariadb-dump") or "mysqldump"
OWN_OPTIONS = [] if DUMPER.endswith("mariadb-dump") else ["--set-gtid-purged=OFF"]  # a copy is no replica


class DatabaseError(Exception):
    """What is wrong with a database or a dump."""


class Database:
    """What MySQL and SQLite have in common."""

    kind = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def tables(self) -> dict:
        """The number of rows of each table."""
        raise NotImplementedError

    def revision(self) -> list:
        """The database's revisions, from alembic's table; none where it has no such table."""
        raise NotImplementedError

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

    def dump(self, path: str, **about: object) -> dict:
        """Makes path.gz and path.json, readable by root alone; what the latter says."""
        before, revision = self.tables(), self.revision()
        digest = _write_compressed(path + ".gz", self.content())
        after = self.tables()
        manifest = dict(
            about,
            kind=self.kind,
            database=self.name,
            sha256=digest,
            bytes=os.path.getsize(path + ".gz"),
            revision=revision,
            tables={name: [before.get(name, 0), rows] for name, rows in after.items()},
            time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        write_file(path + ".json", json.dumps(manifest, indent=2).encode() + b"\n", 0o600)
        sync_folder(os.path.dirname(path))
        return manifest

    def restore(self, path: str, scratch: bool = False) -> dict:
        """Brings the database to what is in a dump, and sees that it is so; what the dump has."""
        manifest = read_manifest(path)
        if manifest["kind"] != self.kind:
            raise DatabaseError("%s is a dump of %s, and the database is %s" % (path, manifest["kind"], self.kind))
        if digest_of(path + ".gz") != manifest["sha256"]:
            raise DatabaseError("%s.gz is damaged: its checksum is not the one in %s.json" % (path, path))
        with gzip.open(path + ".gz", "rb") as dump:
            self.load(dump, manifest, scratch)
        if not scratch:
            compare(dict(manifest, tables=dict.fromkeys(manifest["tables"])), self.tables(), self.revision())
        return manifest


class MySQL(Database):
    """A database of this host's MySQL or MariaDB server, by root's login on its socket."""

    kind = "mysql"

    def ask(self, query: str, database: str = "") -> list:
        """The rows of an answer, as lists of texts."""
        argv = [CLIENT, "--batch", "--skip-column-names", "--raw", database or self.name]
        out = run(argv, data=query.encode())
        return [line.split("\t") for line in out.decode("utf-8", "replace").splitlines()]

    def _listed(self, kind: str, database: str = "") -> list:
        """The names of the views, or of what else there is: tables of all sorts, and sequences."""
        rows = self.ask(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '%s' AND table_type %s 'VIEW' "
            "ORDER BY table_name" % (database or self.name, "=" if kind == "VIEW" else "<>"),
            "information_schema",
        )
        return [_checked(row[0]) for row in rows]

    def tables(self, database: str = "") -> dict:
        names = self._listed("TABLE", database)
        counts = " UNION ALL ".join("SELECT '%s', COUNT(*) FROM %s" % (name.replace("'", "''"), _quoted(name)) for name in names)
        return {name: int(rows) for name, rows in self.ask(counts, database)} if names else {}

    def revision(self, database: str = "") -> list:
        if VERSION_TABLE not in self._listed("TABLE", database):
            return []
        return sorted(row[0] for row in self.ask("SELECT version_num FROM %s" % VERSION_TABLE, database))

    def size(self) -> int:
        rows = self.ask(
            "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables "
            "WHERE table_schema = '%s'" % self.name
        )
        return int(float(rows[0][0]))

    def content(self) -> Iterator[bytes]:
        """The tables first; then what can't be moved between databases: views, triggers, routines."""
        common = ["--single-transaction", "--quick", "--no-tablespaces", "--hex-blob", "--default-character-set=utf8mb4"]
        common += OWN_OPTIONS
        tables, views = self._listed("TABLE"), self._listed("VIEW")
        if tables:
            yield from _dumped([DUMPER, *common, "--skip-triggers", self.name, *tables])
        yield MARK
        whole = ["--no-data", "--no-create-info", "--skip-opt", "--triggers", "--routines", "--events"]
        yield from _dumped([DUMPER, *common, *whole, self.name])
        if views:
            yield from _dumped([DUMPER, *common, self.name, *views])

    def load(self, dump: BinaryIO, manifest: dict, scratch: bool) -> None:
        """Into a database of its own, whose tables then take the others' places, all in one step."""
        beside, replaced = self.name + ("__tried" if scratch else "__restored"), self.name + "__replaced"
        self._make(beside)
        try:
            _feed([CLIENT, beside], dump)
            compare(manifest, self.tables(beside), self.revision(beside))
            if not scratch:
                self._make(replaced)
                self._swap(beside, replaced)
                _feed([CLIENT, self.name], dump)
        finally:
            for name in [beside] if scratch else [beside, replaced]:
                self.ask("DROP DATABASE IF EXISTS %s" % _quoted(name), "mysql")

    def _make(self, name: str) -> None:
        charset, collation = self.ask(
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "
            "WHERE schema_name = '%s'" % self.name,
        )[0]
        self.ask(
            "DROP DATABASE IF EXISTS {0}; CREATE DATABASE {0} CHARACTER SET {1} COLLATE {2}".format(
                _quoted(name), charset, collation
            ),
            "mysql",
        )

    def _swap(self, beside: str, replaced: str) -> None:
        """Readers see the old tables or the new ones, and wait in between."""
        drops = self._drops()
        moves = [_move(self.name, name, replaced) for name in self._listed("TABLE")]
        moves += [_move(beside, name, self.name) for name in self._listed("TABLE", beside)]
        settings = "SET SESSION lock_wait_timeout = %d, foreign_key_checks = 0; " % LOCK_WAIT
        swap = settings + drops + ("RENAME TABLE " + ", ".join(moves) if moves else "")
        for attempt in range(SWAPS):
            try:
                return self.ask(swap)
            except CommandError as error:
                if "1205" not in str(error) or attempt == SWAPS - 1:  # another transaction still reads
                    raise

    def _drops(self) -> str:
        """Statements that remove what is not a table."""
        found = [("VIEW", name) for name in self._listed("VIEW")]
        for kind, column, table in (
            ("TRIGGER", "trigger", "triggers"), ("EVENT", "event", "events"), ("", "routine", "routines"),
        ):
            rows = self.ask(
                "SELECT %s, %s_name FROM information_schema.%s WHERE %s_schema = '%s'"
                % ("routine_type" if not kind else "'%s'" % kind, column, table, column, self.name)
            )
            found += [(row[0], _checked(row[1])) for row in rows if row[0] in KINDS]
        return "".join("DROP %s IF EXISTS %s; " % (kind, _quoted(name)) for kind, name in found)


class SQLite(Database):
    """A file that belongs to the application's user, who alone opens it: root follows none of its links."""

    kind = "sqlite"

    def __init__(self, name: str, user: str) -> None:
        super().__init__(name)
        self.user = user

    def _argv(self, *arguments: str) -> list:
        source = _sqlite_owner.__loader__.get_source(_sqlite_owner.__name__)
        return ["/usr/bin/python3", "-I", "-c", source, self.name, *arguments]

    def _about(self) -> dict:
        return json.loads(run(self._argv("about"), self.user).decode())

    def tables(self) -> dict:
        return self._about()["tables"]

    def revision(self) -> list:
        return self._about()["revision"]

    def size(self) -> int:
        return self._about()["size"]

    def content(self) -> Iterator[bytes]:
        yield from _output_of(self._argv("copy"), self.user)

    def load(self, dump: BinaryIO, manifest: dict, scratch: bool) -> None:
        expected = json.dumps([manifest["tables"], manifest["revision"]])
        _feed(self._argv("load", "scratch" if scratch else "replace", expected), dump, user=self.user, mark=b"")


def database_of(site: Site) -> Database | None:
    """The database that .env names, where it is one of this host's that can be dumped; else None."""
    try:
        with open(site.path("shared", ".env"), encoding="utf-8", errors="replace") as file:
            url = URL.fullmatch(read_dotenv(file.read()).get("DATABASE_URL", ""))
    except FileNotFoundError:
        return None
    if url is None:
        return None
    kind, host, name = url.group("kind", "host", "name")
    if kind in ("mysql", "mariadb") and name and host in LOCAL:
        return MySQL(name)
    if kind == "sqlite" and name and name.startswith("/"):
        return SQLite(name, site.name)
    return None


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
        "%s has %d rows instead of %d" % (name, tables[name], counts[1])
        for name, counts in manifest["tables"].items()
        if counts and counts[0] == counts[1] != tables.get(name, counts[1])
    ]
    wrong += ["%s should not be there" % name for name in tables if name not in manifest["tables"]]
    if sorted(revision) != sorted(manifest["revision"]):
        wrong.append("the revision is %s instead of %s" % (", ".join(revision), ", ".join(manifest["revision"])))
    if wrong:
        raise DatabaseError("What was restored differs from the dump: " + "; ".join(wrong))


def compare_counts(tables: dict, now: dict) -> str:
    """How many rows there are more now than in a dump, by table."""
    more = {name: rows - tables.get(name, [0, 0])[1] for name, rows in now.items() if name != VERSION_TABLE}
    return ", ".join("%+d in %s" % (rows, name) for name, rows in more.items() if rows)


def digest_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def _checked(name: str) -> str:
    """A name that root's clients take for nothing else; whoever owns the database chooses it."""
    if not SAFE_NAME.fullmatch(name):
        raise DatabaseError("The database has %r, whose name has signs that are not safe. Rename it." % name)
    return name


def _quoted(name: str) -> str:
    return "`%s`" % name.replace("`", "``")


def _move(source: str, table: str, target: str) -> str:
    return "{0}.{1} TO {2}.{1}".format(_quoted(source), _quoted(table), _quoted(target))


def _write_compressed(path: str, pieces: Iterator[bytes]) -> str:
    """Writes a file that root alone can read; its checksum."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=3, mtime=0) as packed:
            for piece in pieces:
                packed.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest_of(path)


def _dumped(argv: list) -> Iterator[bytes]:
    """What mysqldump says, to the end that it marks."""
    last = b""
    for piece in _output_of(argv):
        last = (last + piece)[-200:]
        yield piece
    if b"-- Dump completed" not in last:
        raise DatabaseError("mysqldump did not come to its end")


def _output_of(argv: list, user: str = "") -> Iterator[bytes]:
    """A program's output in pieces; CommandError where it fails in the end."""
    command = (["runuser", "-u", user, "--"] if user else []) + argv
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=_site.held
    )
    with process:
        yield from iter(lambda: process.stdout.read(BLOCK), b"")
        said = process.stderr.read().decode("utf-8", "replace")
    if process.returncode:
        raise CommandError("`%s` ended with exit code %d: %s" % (argv[0], process.returncode, said.strip()[-2000:]))


def _feed(argv: list, source: BinaryIO, user: str = "", mark: bytes = MARK) -> None:
    """Gives a program the source's content up to a mark, or to its end."""
    command = (["runuser", "-u", user, "--"] if user else []) + argv
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=_site.held
    )
    try:
        _copy(source, process.stdin, mark)
    except BrokenPipeError:
        pass  # it says itself why it has ended
    said = process.communicate()[1].decode("utf-8", "replace")
    if process.returncode:
        raise CommandError("`%s` ended with exit code %d: %s" % (argv[0], process.returncode, said.strip()[-2000:]))


def _copy(source: BinaryIO, target: BinaryIO, mark: bytes) -> None:
    if not mark:
        return shutil.copyfileobj(source, target, BLOCK)
    for line in source:
        if line == mark:
            return None
        target.write(line)
    return None
