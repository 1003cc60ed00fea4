# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that somebody else has set up on a host: what runs them, from which folder, and with which settings."""

from __future__ import annotations

import os
import re
import shlex
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_files import UnreadableError, read_text

SERVER = re.compile(r"(?:^|[\s/])(?:gunicorn\d*|uwsgi|waitress-serve|hypercorn|uvicorn|flask\s+(?:\S+\s+)*?run)(?=\s|$)")
BIND = re.compile(r"(?:^|\s)(?:-b|--bind|--listen|--http|--http-socket|--socket|-s)(?:\s+|=)[\"']?([^\s\"']+)")
CHDIR = re.compile(r"(?:^|\s)--chdir(?:\s+|=)[\"']?([^\s\"']+)")
PROGRAM_IN_ENVIRONMENT = re.compile(r"(/[^\s\"']+)/bin/[^\s/\"']+")
PORT = re.compile(r"(?:^|:)(\d{2,5})$")
INI = re.compile(r"(?:^|\s)(?:--ini[\s=]+)?[\"']?([^\s\"']+\.ini)(?=[\s\"']|$)")
INI_BIND = re.compile(r"^\s*(?:http|http-socket|socket|uwsgi-socket)\s*=\s*(\S+)", re.M)
CONFIG = re.compile(r"(?:^|\s)(?:-c|--config)[\s=]+[\"']?([^\s\"']+)")
CONFIG_BIND = re.compile(r"^\s*bind\s*=\s*[\"']([^\"']+)", re.M)
DEFAULT_PORTS = {"gunicorn": "8000", "uvicorn": "8000", "hypercorn": "8000", "waitress": "8080", "flask": "5000"}


class Was(NamedTuple):
    """What a program was like before it was stopped."""

    up: bool = True
    parts: dict = {}  # what its manager noted of each of its parts


class ForeignProgram(NamedTuple):
    """A program as its configuration describes it. Its environment has secrets."""

    name: str  # as its manager calls it
    manager: str  # a key of the registry of managers
    file: str  # that describes it
    command: str
    folder: str = ""  # in which it runs; empty where nothing says so
    user: str = "root"
    environment: dict = {}  # that its manager gives it
    environment_files: tuple = ()
    listens: tuple = ()  # where its manager listens for it
    unresolved: tuple = ()  # the variables whose values are known to its manager alone

    def is_server(self) -> bool:
        """Whether it is what answers requests, and not a worker beside that."""
        return bool(SERVER.search(self.command))

    def binds(self) -> list:
        """Where it listens: ports as texts, and paths of sockets."""
        found = [*self.listens, *BIND.findall(self.command)]
        for pattern, binds in ((INI, INI_BIND), (CONFIG, CONFIG_BIND)):
            named = pattern.search(self.command)
            if named and not found:
                found = binds.findall(self._read(named.group(1)))
        server = SERVER.search(self.command)
        if server and not found:
            found = [port for name, port in DEFAULT_PORTS.items() if name in server.group()]
        return [place for place in (self._place(one) for one in found) if place]

    def _read(self, name: str) -> str:
        try:
            return read_text(os.path.join(self.folder, name), self.user)
        except UnreadableError:  # so the program itself can't read where it should listen
            return ""

    def _place(self, bind: str) -> str:
        port = PORT.search(bind)
        if port:
            return port.group(1)
        path = bind[len("unix:"):] if bind.startswith("unix:") else bind
        return os.path.normpath(os.path.join(self.folder, path)) if self.folder or path.startswith("/") else ""


def folder_of(command: str, folder: str) -> str:
    """Where a program runs: what its configuration says, what its command says, or the folder of its environment."""
    said = folder or next(iter(CHDIR.findall(command)), "")
    if said:
        return os.path.normpath(said)
    environment = PROGRAM_IN_ENVIRONMENT.search(command)
    venv = environment.group(1) if environment else ""
    return os.path.dirname(venv) if venv and os.path.exists(os.path.join(venv, "pyvenv.cfg")) else ""


def split_pairs(text: str, separator: str = ",") -> dict:
    """The variables of a text such as `A="1",B=2`."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = separator + " \t\n", True, ""
    try:
        words = list(lexer)
    except ValueError:  # a quote that is not closed
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


class Foreigners:
    """What the managers of such programs have in common."""

    kind = ""  # as people call the manager
    changed = ()  # files and folders of the host that this collection's roles change, and on which the programs depend
    unit = ""  # of systemd's, which reads these; empty where none does

    def programs(self) -> list:
        """All that it runs, or would run at the next boot."""
        raise NotImplementedError

    def is_up(self, program: ForeignProgram) -> bool:
        raise NotImplementedError

    def shared_with(self, program: ForeignProgram) -> list:
        """The names of the others that are described in the same file, and would end with it."""
        return [one.name for one in self.programs() if one.file == program.file and one.name != program.name]

    def obstacles(self, program: ForeignProgram) -> list:
        """In words, why it could not be stopped and started again as it was, each with what to do."""
        return []

    def files(self, program: ForeignProgram) -> list:
        """All files that describe it."""
        return [program.file]

    def stop(self, program: ForeignProgram, put_away: dict) -> None:
        """Ends it, so that no boot starts it again. `put_away` says where each of its files goes that has to."""
        raise NotImplementedError

    def parts(self, program: ForeignProgram) -> dict:
        """What is to be known of each of its parts to start it again as it was."""
        return {}

    def start(self, program: ForeignProgram, put_away: dict, was: Was) -> None:
        """The opposite; what did not run then is not started."""
        raise NotImplementedError
