# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own commands that make a release out of its source, before it is sealed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from typing import Iterator, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.furnishing import publish, static_folder
from ansible_collections.selfhost.flask.plugins.module_utils.common import process
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import (
    SEAL,
    ReleaseError,
    application_folder,
    give_tree,
    remove,
    seal_tree,
)
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

RECORD = ".build.json"  # in a release: the commands that it was made by
MODULES = "node_modules"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # also those that the host alone trusts
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The version that package.json asks for, by npm, which every Node.js has. Yarn from 2 on has another name there.
MANAGER = """#!/bin/sh
asked=$(node -p "(require(process.cwd() + '/package.json').packageManager || '').split('+')[0]" 2>/dev/null)
case %(name)s:$asked in
    yarn:yarn@[2-9]*) package=@yarnpkg/cli-dist@${asked#yarn@} ;;
    *:%(name)s@*) package=$asked ;;
    *) package=%(name)s ;;
esac
exec npx --yes --package "$package" %(name)s "$@"
"""
FAILED = "The build command `%(command)s` (%(number)d of %(count)d) ended with exit code %(code)d.\n%(said)s\n%(state)s %(advice)s"
FIX = "Fix the command in flask_build, or what it builds, and run the playbook again."
NO_NETWORK = "It has no network. If it needs it, write {command: '…', network: true} in flask_build."
NO_NODE = "There is no Node.js. Set flask_node to a version, such as \"22\", and run `selfhost.flask.site`."
OFFLINE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ENETUNREACH|ECONNREFUSED|[Cc]ould not resolve|[Nn]ame resolution|[Nn]etwork is unreachable|Name or service"
    r"|dns error|fetch failed"
)
NODE_MISSED = re.compile(r"\b(?:node|npm|npx|yarn|pnpm|corepack): (?:not found|No such file)|'node': No such file")


class Command(NamedTuple):
    """A line for a shell, and whether it may reach others."""

    command: str
    network: bool


def commands_of(params: dict) -> list:
    found = []
    for item in params.get("commands") or []:
        about = item if isinstance(item, dict) else dict(command=item)
        if set(about) - {"command", "network"} or not isinstance(about.get("command"), str) or not about["command"].strip():
            raise ReleaseError("flask_build has %r. Set each to a command, or to {command: '…', network: true}." % (item,))
        found.append(Command(about["command"], str(about.get("network", False)).lower() in ("true", "yes", "1")))
    return found


def recipe(params: dict) -> dict:
    """What stands in a release that was made by commands."""
    commands = [one._asdict() for one in commands_of(params)]
    return dict(commands=[dict(one) for one in commands], node=params["node"]) if commands else {}


def is_made(params: dict, release: str) -> bool:
    """Whether a release was made by these commands; without any, too."""
    return (read_json(os.path.join(release, RECORD)) or {}) == recipe(params)


class Making:
    """The commands of a release, one after the other."""

    def __init__(self, module: AnsibleModule, top: str) -> None:
        self.module = module
        self.params = module.params
        self.top = top
        self.folder = self.params["release"]
        self.commands = commands_of(self.params)
        self.kept = os.path.join(self.params["cache"], MODULES, self.params["node"] or "system")

    def make(self) -> None:
        """All of them; what they made is public where static files are, and `node_modules` are kept for the next release.

        Those within the static files stay as well: pages may refer to what is in them.
        """
        own = set(modules_in(self.top))
        self.move(self.kept, self.top, own)
        with self.programs() as programs:
            for number, command in enumerate(self.commands, 1):
                self.run(number, command, programs)
        self.move(self.top, self.kept, own, static_folder(self.folder, self.params["static_folder"], self.params["entrypoint"]))
        self.finish()

    def finish(self) -> None:
        """Adds what is root's, to whom the release belongs for so long: nobody leads him elsewhere."""
        remove(os.path.join(self.top, SEAL))  # that would be root's by the next line
        seal_tree(self.top)
        publish(self.params, application_folder(self.top, os.path.relpath(self.folder, self.top)))
        remove(os.path.join(self.top, RECORD))
        write_file(os.path.join(self.top, RECORD), json.dumps(recipe(self.params)).encode() + b"\n", 0o644)
        give_tree(self.top, self.params["user"])

    @contextlib.contextmanager
    def programs(self) -> Iterator[str]:
        """A folder with the package managers that Node.js does not have by itself."""
        folder = tempfile.mkdtemp(prefix="selfhost-programs-")
        try:
            for name in ("yarn", "pnpm"):
                write_file(os.path.join(folder, name), (MANAGER % dict(name=name)).encode(), 0o755)
            os.chmod(folder, 0o755)
            yield folder
        finally:
            shutil.rmtree(folder)

    def run(self, number: int, command: Command, programs: str) -> None:
        argv = [*self.sandbox(command.network).prefix(), "/bin/sh", "-ec", command.command]
        code, out, err = self.module.run_command(
            argv, cwd=self.folder, environ_update=self.variables(programs), pass_fds=process.held, expand_user_and_vars=False
        )
        if code:
            said = "\n".join((out.rstrip() + "\n" + err).strip().splitlines()[-process.LAST_LINES:])
            about = dict(command=command.command, number=number, count=len(self.commands), code=code, said=said)
            state = Site("", self.params["root"], "").state()
            self.module.fail_json(msg=FAILED % dict(about, state=state, advice=advice(said, command)))

    def sandbox(self, network: bool) -> Sandbox:
        """Neither settings nor data are there: the shared folders are empty ones, which go with the command."""
        site = Site("", self.params["root"], "")
        shared = [site.path("shared"), *(site.path("shared", name) for name in self.params["shared"])]
        return Sandbox(self.params["user"], hidden=(site.path("slots"),), empty=tuple(shared), network=network)

    def variables(self, programs: str) -> dict:
        path = [os.path.join(self.folder, ".venv", "bin"), SYSTEM_PATH, programs]
        return {
            "PATH": ":".join(path), "HOME": self.params["cache"], "FLASK_APP": self.params["entrypoint"], "CI": "1",
            "NODE_EXTRA_CA_CERTS": CERTIFICATES, "LC_ALL": "C.UTF-8",
        }

    def move(self, source: str, target: str, but: set, public: str | None = None) -> None:
        """Moves what npm and its like have installed, as the user; copies it where it is public; not what the repository has."""
        for name in modules_in(source) if os.path.isdir(source) else ():
            path, place = os.path.join(source, name), os.path.join(target, name)
            how = "cp -a" if public and path.startswith(public + os.sep) else "mv"
            if name not in but and (target != self.top or os.path.isdir(os.path.dirname(place))):
                process.run(["sh", "-ec", 'mkdir -p "$(dirname "$2")"; rm -rf "$2"; %s -T "$1" "$2"' % how, "-",
                             path, place], self.params["user"])


def modules_in(top: str) -> list:
    """The folders called node_modules, relative to a folder that they are in; not those within others."""
    found = []
    for path, folders, dummy in os.walk(top):
        if MODULES in folders and not os.path.islink(os.path.join(path, MODULES)):
            found.append(os.path.relpath(os.path.join(path, MODULES), top))
        folders[:] = [name for name in folders if name not in (MODULES, ".git")]
    return found


def advice(said: str, command: Command) -> str:
    """What helps, by what a command said."""
    if NODE_MISSED.search(said):
        return NO_NODE
    return NO_NETWORK if OFFLINE.search(said) and not command.network else FIX


def establish_build(module: AnsibleModule, top: str) -> bool:
    """Runs the commands, if there are any; whether there were."""
    making = Making(module, top)
    if making.commands and not module.check_mode:
        making.make()
    return bool(making.commands)
