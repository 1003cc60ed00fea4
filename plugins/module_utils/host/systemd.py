# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of its units: whether they run, since when, and whether it has read their files."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule

UNITS = "/etc/systemd/system/"
TIMES = {
    "started": "ExecMainStartTimestampMonotonic",
    "active": "ActiveEnterTimestampMonotonic",
    "changed": "StateChangeTimestampMonotonic",
}
PROPERTIES = (
    "Id LoadState ActiveState UnitFileState InvocationID NeedDaemonReload ReloadResult".split() + list(TIMES.values())
)


class Unit(NamedTuple):
    """A unit as it is now; its times are seconds since the epoch, 0 for never."""

    name: str
    active: bool
    disabled: bool
    outdated: bool  # systemd itself has not read its files yet
    identity: str  # another one after each start and each reload
    started_at: float
    loaded_at: float  # by its start or by a reload


def show_units(module: AnsibleModule, names: list) -> dict:
    """The units by their names, asked for in one call."""
    full = {name: name if "." in name else name + ".service" for name in names}
    asked = sorted(set(full.values()))
    if not asked:
        return {}
    command = ["systemctl", "show", "--property=" + ",".join(PROPERTIES), "--", *asked]
    dummy, out, dummy = module.run_command(command, check_rc=True)
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
    units = dict(zip(asked, map(unit_of, blocks)))
    return {name: units[full[name]] for name in names}


def unit_of(values: dict) -> Unit:
    """A unit by its properties."""
    since = {name: moment(values.get(key, "")) for name, key in TIMES.items()}
    started = since["started"] or since["active"]  # a timer has no process
    reloaded = values.get("ReloadResult", "success") == "success"  # the time of a failed reload is not one of a load
    return Unit(
        name=values["Id"],
        active=values["ActiveState"] in ("active", "reloading"),
        disabled=values["UnitFileState"] == "disabled",
        outdated=values["NeedDaemonReload"] == "yes",
        identity="%s %s" % (values["InvocationID"], values[TIMES["changed"]]),
        started_at=started,
        loaded_at=max(started, since["changed"]) if reloaded else started,
    )


def moment(microseconds: str) -> float:
    """A time of systemd's clock, which begins at the boot, by the clock that files have."""
    since_boot = int(microseconds or 0) / 1e6
    return time.time() - time.monotonic() + since_boot if since_boot else 0.0


def unit_names(paths: list) -> list:
    """The units that files below systemd's folder belong to, such as x.service.d/selfhost.conf to x.service."""
    names = [path[len(UNITS) :].split(os.sep)[0] for path in paths if is_unit_file(path)]
    return sorted({name[:-2] if name.endswith(".d") else name for name in names if not name.endswith(".wants")})


def is_unit_file(path: str) -> bool:
    return path.startswith(UNITS)
