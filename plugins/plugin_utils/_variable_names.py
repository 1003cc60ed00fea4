# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables the roles read, and which names are misspelt ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the other one takes ten times as long

OWN = "flask_"  # nobody else's, so that whatever begins like this and is not known is misspelt
NEAR = 0.86  # one letter of a short name, two of a long one; mysql_root_password is not mysql_password
SIMILAR = 0.75

# What roles had by names of their own, until they read the variables that these were copies of.
COPIES = {
    "app": "shared_paths repo version deploy_key subfolder entrypoint env env_required python static_folder static_url",
    "backup": "app workers",
    "deployment": "app entrypoint migration workers hooks health_url health_text rollback_database",
    "doctor": "app domain env_required static_url",
    "fail2ban": "app login_urls",
    "gunicorn": "entrypoint",
    "hardening": "admins",
    "nginx": "app domain aliases tls_profile login_urls static_url",
    "system": "admins",
    "tls": "app",
}
FORMER = {
    **{"%s_%s" % (role, name): OWN + name for role, names in COPIES.items() for name in names.split()},
    **{"backup_" + name: "flask_backup_" + name for name in ("fetch", "source", "from_restic", "settings")},
    "app_name": "flask_app", "backup_name": "flask_backup", "deployment_closed": "flask_maintenance",
    "deployment_rollback_release": "flask_release", "tls_origin": "flask_tls",
}
GONE = re.compile(
    "(app|backup|deployment|doctor|gunicorn|nginx|tls)_root|(fail2ban|mysql|postgresql)_installed|"
    "(app|backup|fail2ban|hardening|nginx|postfix|supervisor|system|tls)_packages"
)


def read_yaml(path: Path) -> dict:
    return yaml.load(path.read_text(encoding="utf-8"), LOADER) or {}


def read_options(role: str) -> dict:
    """The options of a role, as its argument specification has them."""
    return read_yaml(ROLES / role / "meta/argument_specs.yml")["argument_specs"]["main"].get("options", {})


def read_defaults() -> dict[str, dict]:
    """What the roles' variables are by default, for each role; the specification has no others."""
    defaults = {path.parents[1].name: read_yaml(path) for path in ROLES.glob("*/defaults/main.yml")}
    required = {name: None for name, option in read_options("flask").items() if option.get("required")}
    return {**defaults, "flask": {**required, **defaults["flask"]}}


def read_offers() -> list[str]:
    """The names that the collection has for inventories to use, such as flask_database_url."""
    return [name for name in read_yaml(ROLES / "flask/vars/main.yml") if not name.startswith("_")]


def find_unknown(given: Iterable[str], defaults: Mapping[str, dict]) -> dict[str, str]:
    """The variables that are misspelt ones of the roles, with the name that may be meant, or ''."""
    known = [name for variables in defaults.values() for name in variables]
    foreign = sorted(name for name in set(given) - set(known) if not name.startswith(("_", "ansible_")))
    meant = {name: nearest(name, known, defaults) for name in foreign}
    return {name: near for name, near in meant.items() if near or name.startswith(OWN) or GONE.fullmatch(name)}


def nearest(name: str, known: Iterable[str], roles: Iterable[str]) -> str:
    """The known name that somebody meant who wrote this one; '' where there is none."""
    if name in FORMER:
        return FORMER[name]
    prefix, dummy, rest = name.lower().partition("_")
    if not get_close_matches(prefix, roles, 1, SIMILAR):
        return ""
    near = get_close_matches(name.lower(), known, 1, SIMILAR if name.startswith(OWN) else NEAR)
    same = [other for other in known if "_" in rest and other.partition("_")[2] == rest]
    return (same + near + [""])[0]
