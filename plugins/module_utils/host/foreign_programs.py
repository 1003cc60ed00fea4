# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that somebody else has set up on a host: what runs them, from which folder, and with which settings."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.host import foreign_uwsgi
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_files import UnreadableError, read_text

SERVER = re.compile(r"(?:^|[\s/])(?:gunicorn\d*|uwsgi|waitress-serve|hypercorn|uvicorn|flask\s+(?:\S+\s+)*?run)(?=\s|$)")
CONTROL = re.compile(r"(?:^|[\s\"';&|(/])(?:\w+ctl|service|pgrep|pkill|killall)\s[^;&|)]*")  # of what is named there
BIND = re.compile(r"(?:^|\s)(?:-b|--bind|--listen|--http|--http-socket|--socket|-s)(?:\s+|=)[\"']?([^\s\"']+)")
CHDIR = re.compile(r"(?:^|\s)--chdir(?:\s+|=)[\"']?([^\s\"']+)")
CD = re.compile(r"(?:^|[\s\"';&(])cd\s+(?:--\s+)?([^\s\"';&]+)[\"']?\s*(?:&&|;)")
WORDS = re.compile(r"[^\s\"'`;&|()<>]+")
SCRIPTS = (".py", ".sh")
HOME = re.compile(r"^(?:~|\$HOME|\$\{HOME\})(?=/|$)")
PROGRAM_IN_ENVIRONMENT = re.compile(r"(/[^\s\"']+)/bin/[^\s/\"']+")
PORT = re.compile(r"(?:^|:)(\d{2,5})$")
INI = re.compile(r"(?:^|\s)(?:--ini[\s=]+)?[\"']?([^\s\"']+\.ini)(?=[\s\"']|$)")
EMPEROR = re.compile(r"(?:^|\s)--emperor[\s=]+[\"']?([^\s\"']+)")
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
    schedule: str = ""  # of a job, as cron or systemd has it
    home: str = ""  # where its relative paths begin if it has no folder
    options: foreign_uwsgi.Options = foreign_uwsgi.Options()  # of its file for uWSGI

    def is_server(self) -> bool:
        """Whether it is what answers requests, and not a worker beside that, nor a job that looks after it."""
        return bool(SERVER.search(CONTROL.sub(" ", self.command) if self.schedule else self.command))

    def binds(self) -> list:
        """Where it listens: ports as texts, and paths of sockets."""
        found = [*self.listens, *BIND.findall(self.command)] or list(self.options.binds)
        named = CONFIG.search(self.command)
        if named and not found:
            found = CONFIG_BIND.findall(self._read(named.group(1)))
        server = SERVER.search(self.command)
        if server and not found:
            found = [port for name, port in DEFAULT_PORTS.items() if name in server.group()]
        return [place for place in (self._place(one) for one in found) if place]

    def completed(self) -> ForeignProgram:
        """With what its file for uWSGI says. Whom it runs as is root's to say, where root starts it."""
        emperor = EMPEROR.search(self.command)
        if emperor:
            return self._replace(options=foreign_uwsgi.Options(emperor=emperor.group(1)))
        paths = [os.path.join(self.folder or self.home, name) for name in INI.findall(self.command)] if self.is_server() else []
        texts = {path: self._read(path) for path in paths if os.path.isabs(path)}
        if not texts:
            return self
        options = foreign_uwsgi.read_options(texts)
        options = options._replace(binds=tuple(filter(None, map(self._place, options.binds))))
        folder = os.path.normpath(os.path.join(self.folder, options.folder)) if options.folder else self.folder
        user = user_of(options.user) if self.user == "root" and options.user else self.user
        return self._replace(folder=folder, user=user, environment={**self.environment, **options.environment}, options=options)

    def runs(self) -> list:
        """The files that its command runs, programs and scripts, by their paths."""
        words = [HOME.sub(lambda dummy: self.home or "~", word) for word in WORDS.findall(self.command)]
        paths = [os.path.join(self.folder or self.home, word) for word in words]
        return [os.path.normpath(path) for path in paths if os.path.isabs(path) and is_run(path)]

    def belongs_to(self, server: ForeignProgram) -> bool:
        """Whether it is a part of the application that the other one serves: it works there, or runs something of that."""
        if server.folder in ("", os.sep):
            return False
        places = [self.folder, *self.runs()]
        above = self.folder and is_in(server.folder, self.folder) and environment_of(self.command)
        return any(is_in(place, server.folder) for place in places) or bool(above and above == environment_of(server.command))

    def controls(self, other: ForeignProgram) -> bool:
        """Whether it is a job that restarts another program, or the like, by its name."""
        name = other.name[: -len(".service")] if other.name.endswith(".service") else other.name
        words = [word for part in CONTROL.findall(self.command) for word in WORDS.findall(part)] if self.schedule else []
        return bool({name, name + ".service"} & set(words))

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
    said = next(iter(CHDIR.findall(command) + CD.findall(command)), "") if not folder else folder
    if said:
        return os.path.normpath(said)
    return os.path.dirname(environment_of(command))


def user_of(name: str) -> str:
    """A user's name, which may be written as a number."""
    try:
        return pwd.getpwuid(int(name)).pw_name if name.isdigit() else name
    except KeyError:
        return name


def environment_of(command: str) -> str:
    """The virtual environment of a command's program; empty where it has none."""
    found = PROGRAM_IN_ENVIRONMENT.search(command)
    return found.group(1) if found and os.path.exists(os.path.join(found.group(1), "pyvenv.cfg")) else ""


def is_in(path: str, folder: str) -> bool:
    """Whether a path is a folder's, or the folder itself."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_run(path: str) -> bool:
    return os.path.isfile(path) and (path.endswith(SCRIPTS) or os.access(path, os.X_OK))


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
    runs_in = ""  # the unit of systemd's that its programs are processes of; empty where each has its own

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
