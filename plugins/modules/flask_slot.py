#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_slot
short_description: Serves a release of a Flask application from the idle one of two slots
version_added: 0.1.0
description:
  - An application has two slots, blue and green. One is live, which is where C(<root>/run/live.sock)
    points to. The release is started in the other one, asked for its health on that slot's own
    socket, and becomes the live one by moving the link. Then the old slot finishes its requests and
    stops.
  - Nothing is started when the live slot already serves this release with these files and is healthy.
  - Where the release does not become healthy it is stopped, the old one goes on serving, and the
    module fails with what the application logged.
  - A release belongs to root, and nobody else can write to it, before it is started.
  - Older releases beyond O(keep), and virtual environments that none of the kept ones uses, are
    removed.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says whether the release would be launched.
    support: full
  diff_mode:
    description: Shows the served release before and after.
    support: full
  idempotent:
    description: A second run launches nothing.
    support: full
options:
  name:
    description: Name of the application. Its programs in supervisor are C(<name>-blue) and C(<name>-green).
    type: str
    required: true
  root:
    description: The application's folder, such as C(/srv/blog).
    type: path
    required: true
  release:
    description: The application's folder in the release.
    type: path
    required: true
  version:
    description: Name of the version, for the record.
    type: str
    default: ""
  commit:
    description: The commit, for the record.
    type: str
    default: ""
  config:
    description: Files that the application reads at its start. A change in one launches it anew.
    type: list
    elements: path
    default: []
  log:
    description: Folder of the slots' logs.
    type: path
    required: true
  health_url:
    description: Path that answers with a status below 400 when the application is well.
    type: str
    default: /
  host:
    description: Host name of the health request.
    type: str
    default: localhost
  deadline:
    description: Seconds that the release has to become healthy.
    type: int
    default: 60
  keep:
    description: Number of good releases to keep, the served one among them.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Serve the release
  selfhost.flask.flask_slot:
    name: blog
    root: /srv/blog
    release: /srv/blog/releases/v1.2-7f7c99a2
    config: [/srv/blog/shared/.env, /srv/blog/gunicorn.conf.py]
    log: /var/log/blog
    health_url: /healthz
    host: blog.example.com
"""

RETURN = r"""
slot:
  description: The live slot, blue or green; empty in check mode where none is live yet.
  type: str
  returned: always
release:
  description: Name of the served release.
  type: str
  returned: always
seconds:
  description: From the start of the new release to its health.
  type: float
  returned: when the release was launched
pruned:
  description: Releases that were removed.
  type: list
  elements: str
  returned: when the release was launched
"""

import hashlib
import http.client
import json
import os
import shutil
import time
import xmlrpc.client

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils._release import (
    SEAL,
    read_link,
    replace_link,
    seal_tree,
)
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils._supervisor import Supervisor
from ansible_collections.selfhost.flask.plugins.module_utils._unix_http import get

SLOTS = ("blue", "green")
LOG_LINES = 50
RESTARTS = 3  # a release that ended so often before it was healthy will not become so
FAILED = (
    "%(release)s did not become healthy: %(problem)s. %(served)s Mend the cause and run the playbook "
    "again. The last lines of %(log)s:\n%(lines)s"
)


class Unhealthy(Exception):
    """Why a slot does not answer as it should."""


class Slots:
    """The two slots of an application, and the links that say which release is where."""

    def __init__(self, module: AnsibleModule) -> None:
        self.params = module.params
        self.supervisor = Supervisor()
        self.log_begin = 0

    def path(self, *names: str) -> str:
        return os.path.join(self.params["root"], *names)

    def program(self, slot: str) -> str:
        return "%s-%s" % (self.params["name"], slot)

    def log(self, slot: str) -> str:
        return os.path.join(self.params["log"], slot + ".log")

    def live(self) -> str:
        """The slot that live.sock points to; empty before the first launch."""
        slot = read_link(self.path("run", "live.sock")).partition(".")[0]
        return slot if slot in SLOTS else ""

    def fingerprint(self) -> str:
        """Stands for everything that a running application was started from."""
        release = self.params["release"]
        digest = hashlib.sha256("\n".join([release, os.path.realpath(release + "/.venv")]).encode())
        for path in self.params["config"]:
            with open(path, "rb") as file:
                digest.update(file.read())
        return digest.hexdigest()

    def started_from(self, slot: str) -> str:
        """The fingerprint that a slot was launched with."""
        try:
            with open(self.path("slots", slot + ".fingerprint"), encoding="ascii") as file:
                return file.read()
        except OSError:
            return ""

    def serves(self, slot: str) -> bool:
        """Whether a slot runs what is asked for, and is well."""
        if not slot or self.started_from(slot) != self.fingerprint():
            return False
        try:
            self.check_health(slot)
        except Unhealthy:
            return False
        return True

    def check_health(self, slot: str) -> None:
        """Asks the health URL on the slot's own socket, as the proxy would."""
        url, host = self.params["health_url"], self.params["host"]
        headers = {"Host": host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        try:
            status, text = get(self.path("run", slot + ".sock"), url, headers, timeout=10)
        except (OSError, http.client.HTTPException) as error:
            raise Unhealthy("%s on its socket gave no answer (%s)" % (url, error)) from error
        if status >= 400:
            raise Unhealthy("%s answered %d %s" % (url, status, text.strip()[:200]))

    def await_health(self, slot: str) -> None:
        """Returns once the slot is healthy; Unhealthy at the deadline, or when it keeps ending."""
        end, pids = time.monotonic() + self.params["deadline"], set()
        while True:
            try:
                return self.check_health(slot)
            except Unhealthy as error:
                pids.add(self.supervisor.info(self.program(slot))["pid"])
                if time.monotonic() > end:
                    raise Unhealthy("%s within %d s" % (error, self.params["deadline"])) from error
                if len(pids - {0}) > RESTARTS:
                    raise Unhealthy("it ended at its start, %d times" % RESTARTS) from error
            time.sleep(0.05)

    def launch(self, slot: str) -> float:
        """Starts the release in a slot that is not live; the seconds until it was healthy."""
        self.retire(slot)
        replace_link(self.path("slots", slot), self.params["release"])
        write_file(self.path("slots", slot + ".fingerprint"), self.fingerprint().encode(), 0o600)
        self.log_begin = file_size(self.log(slot))
        begin = time.monotonic()
        self.supervisor.start(self.program(slot))
        self.await_health(slot)
        return time.monotonic() - begin

    def switch(self, slot: str) -> None:
        """Moves the traffic; from here on the slot is the live one."""
        replace_link(self.path("run", "live.sock"), slot + ".sock")
        replace_link(self.path("current"), os.path.relpath(self.params["release"], self.params["root"]))

    def retire(self, slot: str) -> None:
        """Lets a slot finish its requests and end, and keeps it from starting at the next boot."""
        for name in (slot, slot + ".fingerprint"):
            if os.path.lexists(self.path("slots", name)):
                os.unlink(self.path("slots", name))
        self.supervisor.stop(self.program(slot))


class Records:
    """releases.json: what was launched when, and how it went."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.path = os.path.join(root, "releases.json")
        self.entries = []
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.entries = json.load(file)

    def add(self, **entry: str) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.entries.append(dict(entry, time=now))
        write_file(self.path, json.dumps(self.entries, indent=2).encode() + b"\n", 0o644)

    def kept(self, number: int) -> list:
        """The newest good releases, each once."""
        good = [entry["release"] for entry in reversed(self.entries) if entry["outcome"] == "served"]
        return list(dict.fromkeys(good))[:max(1, number)]

    def prune(self, number: int) -> list:
        """Removes the other releases, then the environments that no kept one links to."""
        kept, releases = self.kept(number), os.path.join(self.root, "releases")
        removed = sorted(set(os.listdir(releases)) - set(kept))
        for name in removed:
            shutil.rmtree(os.path.join(releases, name))
        venvs = os.path.join(self.root, "venvs")
        used = {os.path.basename(venv) for name in kept for venv in linked_venvs(os.path.join(releases, name))}
        for name in set(os.listdir(venvs)) - used:
            shutil.rmtree(os.path.join(venvs, name))
        return removed


def linked_venvs(release: str) -> list:
    """Where the links named .venv in a release lead; the application may be in a subfolder."""
    return [read_link(os.path.join(path, ".venv")) for path, folders, dummy in os.walk(release) if ".venv" in folders]


def release_name(slots: Slots) -> str:
    """The release's name; the application may be in a subfolder."""
    return os.path.relpath(slots.params["release"], slots.path("releases")).split(os.sep)[0]


def seal(slots: Slots) -> str:
    """Gives the release to root and marks it as complete; its name."""
    name = release_name(slots)
    folder = slots.path("releases", name)
    if not os.path.exists(os.path.join(folder, SEAL)):
        seal_tree(folder)
        about = {key: slots.params[key] for key in ("version", "commit")}
        write_file(os.path.join(folder, SEAL), json.dumps(about).encode() + b"\n", 0o644)
    return name


def file_size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def last_lines(path: str, begin: int) -> str:
    """The end of what was logged since a position, or that there is no log."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            file.seek(begin if begin <= file_size(path) else 0)  # it may have been rotated
            return "".join(file.readlines()[-LOG_LINES:])
    except OSError as error:
        return str(error)


def serve(module: AnsibleModule, slots: Slots) -> dict:
    """Launches the release and switches to it; fails with the old one still serving."""
    live = slots.live()
    idle = SLOTS[1 - SLOTS.index(live)] if live else SLOTS[0]
    records, release = Records(slots.params["root"]), seal(slots)
    about = dict(release=release, version=slots.params["version"], commit=slots.params["commit"])
    try:
        seconds = slots.launch(idle)
    except Unhealthy as error:
        slots.retire(idle)
        records.add(outcome="failed", problem=str(error), **about)
        served = "The version before it goes on serving." if live else "No version is served yet."
        problem = dict(release=release, problem=error, served=served, log=slots.log(idle))
        module.fail_json(msg=FAILED % dict(problem, lines=last_lines(slots.log(idle), slots.log_begin)))
    slots.switch(idle)
    if live:
        slots.retire(live)
    records.add(outcome="served", **about)
    return dict(slot=idle, release=release, seconds=round(seconds, 2), pruned=records.prune(slots.params["keep"]))


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            root=dict(type="path", required=True),
            release=dict(type="path", required=True),
            version=dict(type="str", default=""),
            commit=dict(type="str", default=""),
            config=dict(type="list", elements="path", default=[]),
            log=dict(type="path", required=True),
            health_url=dict(type="str", default="/"),
            host=dict(type="str", default="localhost"),
            deadline=dict(type="int", default=60),
            keep=dict(type="int", default=5),
        ),
        supports_check_mode=True,
    )
    slots = Slots(module)
    before = read_link(slots.path("current"))
    after = os.path.relpath(module.params["release"], module.params["root"])
    shown = dict(before="current: %s\n" % before, after="current: %s\n" % after)
    diff = diff_result(module, shown)
    missing = module.check_mode and not os.path.isdir(module.params["release"])
    if not missing and slots.serves(slots.live()):
        module.exit_json(changed=False, slot=slots.live(), release=release_name(slots), **diff)
    if module.check_mode:
        module.exit_json(changed=True, slot=slots.live(), release=release_name(slots), **diff)
    try:
        module.exit_json(changed=True, **diff, **serve(module, slots))
    except (OSError, xmlrpc.client.Error) as error:
        module.fail_json(msg="supervisor can't be asked to run the release: %s" % error)


if __name__ == "__main__":
    main()
