# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation stops and its data is archived, or it is started again with all that it had.

What is done is noted first, so that whatever was interrupted can be undone.
"""

from __future__ import annotations

import os
import shutil
import time

from ansible_collections.selfhost.flask.plugins.module_utils.adoption import configuration
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.archive import make_archive
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.folder import identity_of
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import AdoptionError
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.plan import Plan
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.store import BEGUN, MOVED, RETURNED, SERVED, Store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import check_room
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import ForeignProgram, Was
from ansible_collections.selfhost.flask.plugins.module_utils.process.foreign import MANAGERS
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign import SITES

PATIENCE = 30  # seconds that a program has to end, or to start
STILL_UP = "%s is still running %d s after it was stopped. Stop it by hand, and look again."
BOTH = "%s. The old installation could not be started again: %s. Start it by hand."
NOT_UP = "%s was started, and does not run after %d s. See its log for the reason."


def hand_over(plan: Plan, store: Store, name: str, settings: dict, same_host: bool) -> dict:
    """Stops the installation, and archives its data; what the archive says of itself, with the time of the stop."""
    found = plan.installation
    os.makedirs(store.folder, mode=0o700, exist_ok=True)
    check_room(store.folder, plan.size() * (1 if same_host else 2), "the archive")  # which travels as one file more
    about = dict(
        programs=[note_of(one) for one in found.programs],
        files=[path for one in found.programs for path in MANAGERS[one.manager]().files(one)],
        sites=[path for proxy, site in found.sites for path in proxy().files(site)],
        away=[site.path for dummy, site in found.sites] if same_host else [],
        folder=found.folder, user=found.user, address=list(plan.address or ()), same_host=same_host, places=plan.places,
        external=plan.external, identity=identity_of(found.folder),
        certificates=[path for dummy, site in found.sites for path in site.certificates],
    )
    if store.state.get("stage") != BEGUN:
        shutil.rmtree(store.path("before"), ignore_errors=True)
    store.note(stage=BEGUN, stopped=time.time(), **about)
    try:
        if same_host:
            keep_configuration(store, plan)
        stop(store, found.programs)
        manifest = make_archive(plan, name, settings, store.folder)
        for path in store.state["away"]:
            configuration.put_away(store, path)
    except BaseException as error:
        try:
            give_back(store)
        except Exception as second:
            raise AdoptionError(BOTH % (str(error).rstrip("."), str(second).rstrip("."))) from error
        raise
    store.note(stage=MOVED, backup=manifest["backup"])
    return manifest


def keep_configuration(store: Store, plan: Plan) -> None:
    """Copies what this collection's roles are going to change, and notes which units read it."""
    kinds = {MANAGERS[one.manager] for one in plan.installation.programs} | {proxy for proxy, dummy in plan.installation.sites}
    changed = sorted(path for kind in kinds for path in kind.changed)
    configuration.keep(store, changed)
    store.note(changed=changed, units=sorted(kind.unit for kind in kinds if kind.unit))


def stop(store: Store, programs: tuple) -> None:
    """Those that work beside it first, so that none of them meets an application that is gone."""
    for one in reversed(programs):
        MANAGERS[one.manager]().stop(one, {path: store.away(path) for path in MANAGERS[one.manager]().files(one)})
    for one in programs:
        wait_for(one, False, STILL_UP)


def wait_for(program: ForeignProgram, is_up: bool, problem: str) -> None:
    """AdoptionError where a program does not come, or go, in time."""
    end = time.monotonic() + PATIENCE
    while MANAGERS[program.manager]().is_up(program) != is_up:
        if time.monotonic() > end:
            raise AdoptionError(problem % (program.name, PATIENCE))
        time.sleep(0.2)


def settle(store: Store) -> None:
    """Notes that visitors have the new one, and what the roles have changed for that."""
    store.note(stage=SERVED, after=configuration.digests(store) if store.state.get("same_host") else {})


def give_back(store: Store) -> list:
    """Starts the installation again, as it was; in words, what stays as the new application needs it."""
    stays = []
    if store.state.get("same_host"):
        folders, stays = configuration.give_back(store)
        restart_units(store, folders)
    else:
        configuration.bring_sites_back(store)
    programs = programs_of(store)
    for one, was in programs:
        files = {path: store.away(path) for path in MANAGERS[one.manager]().files(one)}
        MANAGERS[one.manager]().start(one, files, was)
    for one, was in programs:
        if was.up:
            wait_for(one, True, NOT_UP)
    for kind in SITES:
        if store.state.get("same_host") and kind.unit in store.state.get("units", []):
            run(list(kind.test))
            run(["systemctl", "reload-or-restart", kind.unit])
    store.note(stage=RETURNED)
    return stays


def check_rooms(archive: str, root: str, size: int, same_host: bool) -> None:
    """BackupError where the new application's host has no room for its data and the archive of that."""
    needs = {}
    for path, times in ((archive, 1 if same_host else 2), (root, 1)):  # an archive from elsewhere comes as one file more
        while not os.path.exists(path):
            path = os.path.dirname(path)
        needs.setdefault(os.stat(path).st_dev, [path, 0])[1] += times * size
    for path, needed in needs.values():
        check_room(path, needed, "the data that is moved")


def down(store: Store) -> list:
    """The names of the programs that ran before the move and don't now."""
    return [one.name for one, was in programs_of(store) if was.up and not MANAGERS[one.manager]().is_up(one)]


def restart_units(store: Store, folders: list) -> None:
    """The units that read another configuration by then."""
    if folders:
        run(["systemctl", "daemon-reload"])
    for unit in store.state.get("units", []):
        if any(unit + ".d" in path for path in folders):
            run(["systemctl", "restart", unit])


def note_of(program: ForeignProgram) -> dict:
    """What is to be known of a program to start it again as it was."""
    manager = MANAGERS[program.manager]()
    was = dict(up=manager.is_up(program), parts=manager.parts(program))
    return dict(was, name=program.name, manager=program.manager, file=program.file)


def programs_of(store: Store) -> list:
    """The programs that were stopped, each with what it was like."""
    noted = store.state.get("programs", [])
    return [(ForeignProgram(one["name"], one["manager"], one["file"], ""), Was(one["up"], one["parts"])) for one in noted]
