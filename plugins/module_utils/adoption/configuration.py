# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own configuration, which the roles change: it is kept before a move, and given back.

Once visitors have the new application, it may be weeks until it is given back. Then a folder in which somebody else has
changed something since stays: the new application's site alone makes way for the old one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import AdoptionError
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.store import SERVED, Store
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign import SITES

REFUSED = (
    "The proxy refuses the configuration with the old site: %s Nothing was changed, and the new application goes on serving. "
    "The old configuration is in %s."
)
CHANGED = "the rest of %s, with changes since the move in %s, such as %s; a copy from before the move is %s"


class Returned(NamedTuple):
    """What came of giving it back."""

    folders: list  # that are as they were before the move
    stays: list  # in words


def keep(store: Store, folders: list) -> None:
    """Copies what the roles are going to change, unless an earlier run has."""
    if os.path.isdir(store.path("before")):
        return
    shutil.rmtree(store.path("before.new"), ignore_errors=True)
    os.makedirs(store.path("before.new"))
    for path in filter(os.path.exists, folders):
        copy_tree(path, store.path("before.new", path.lstrip("/")))
    os.rename(store.path("before.new"), store.path("before"))


def digests(store: Store) -> dict:
    """What the folders have that the roles change; noted when they have changed them."""
    return {path: listing(path) for path in store.state.get("changed", [])}


def give_back(store: Store) -> Returned:
    """AdoptionError where the proxy of a new application that serves would refuse it; then all is as it was."""
    if not os.path.isdir(store.path("before")):
        return Returned([], [])
    folders = [path for path in store.state.get("changed", []) if listing(path) != listing(store.before(path))]
    kept = store.path(time.strftime("replaced-%Y%m%dT%H%M%SZ", time.gmtime()))
    for path in filter(os.path.isdir, folders):
        copy_tree(path, os.path.join(kept, path.lstrip("/")))
    if store.state.get("stage") != SERVED:  # the run that changed it was the last
        for path in folders:
            replace(path, store.before(path))
        bring_sites_back(store)
        return Returned(folders, [])
    brought = []
    try:
        returned = give_back_unchanged(store, folders)
        brought += bring_sites_back(store)
        test(store)
        return returned
    except (CommandError, OSError) as error:
        for path in folders:
            replace(path, os.path.join(kept, path.lstrip("/")))
        for path in brought:
            put_away(store, path)
        raise AdoptionError(REFUSED % (error, store.path("before"))) from error


def give_back_unchanged(store: Store, folders: list) -> Returned:
    """The folders that nobody else has changed since the move; in others, the new application's site goes."""
    own = [path for proxy in SITES for path in proxy().paths_of(store.name)]
    enabled = [path for proxy in SITES for path in proxy().enabled(store.name)]
    given, stays = [], []
    for folder in folders:
        now, then = listing(folder), store.state.get("after", {}).get(folder, {})
        others = sorted(name for name in {*now, *then} if now.get(name) != then.get(name) and not is_in(folder, name, own))
        if not others:
            replace(folder, store.before(folder))
            given.append(folder)
            continue
        for path in (path for path in enabled if path.startswith(folder + os.sep) and os.path.lexists(path)):
            os.unlink(path)
        stays.append(CHANGED % (folder, count_of(len(others), "file"), others[0], store.before(folder)))
    return Returned(given, stays)


def is_in(folder: str, name: str, places: list) -> bool:
    path = os.path.join(folder, name)
    return any(path == place or path.startswith(place + os.sep) for place in places)


def test(store: Store) -> None:
    """CommandError where a proxy would not take its configuration."""
    for kind in SITES:
        if kind.unit in store.state.get("units", []):
            run(list(kind.test))


def put_away(store: Store, path: str) -> None:
    """A site's file; the proxy reads it no more when it reads its configuration the next time."""
    target = store.away(path)
    if os.path.lexists(path):
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        shutil.move(path, target)


def bring_sites_back(store: Store) -> list:
    """The files of sites that were away, and are no more."""
    away = [path for path in store.state.get("away", []) if os.path.lexists(store.away(path)) and not os.path.lexists(path)]
    for path in away:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.move(store.away(path), path)
    return away


def copy_tree(source: str, target: str) -> None:
    """With owners and modes."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    run(["cp", "--archive", "--no-target-directory", source, target])


def replace(path: str, source: str) -> None:
    """Makes a folder what another one is, or removes it where there is none. Up to the last step it is as it was."""
    new, old = path + ".selfhost-new", path + ".selfhost-old"
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    if os.path.isdir(source):
        copy_tree(source, new)
    if os.path.isdir(path):
        os.rename(path, old)
    if os.path.isdir(new):
        os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)


def listing(folder: str) -> dict:
    """The files of a folder, hidden ones as well, each with the digest of its content or its target."""
    found = {}
    for top, folders, files in os.walk(folder):
        for path in (os.path.join(top, name) for name in folders + files):
            if os.path.islink(path):
                found[os.path.relpath(path, folder)] = "-> " + os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found
