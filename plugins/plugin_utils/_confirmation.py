# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What undoes or overwrites something is for one application, unless several are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# What one application is, and what is chosen for it. On the command line it is for all of the play.
OF_ONE = (
    *("flask_app", "flask_listen", "flask_repo", "flask_version", "flask_entrypoint", "flask_subfolder", "flask_domain"),
    *("flask_aliases", "flask_env", "flask_database", "flask_database_password", "flask_workers", "flask_hooks"),
    *("flask_health_url", "flask_health_text", "flask_health_status", "flask_health_redirect"),
    *("flask_web_include", "flask_basic_auth", "flask_noindex", "flask_devices", "flask_private_folders"),
    *("flask_env_required", "flask_migrations_folder", "flask_migration_command", "flask_first_run"),
    *("flask_env_file", "flask_config_files"),
    *("flask_migration", "flask_release", "flask_command", "flask_backup", "flask_backup_source", "flask_backup_of"),
    *("flask_adopt_program", "flask_adopt_left_out"),
)

QUESTION = (
    "%d applications are meant: %s. %s Choose one, such as by --limit %s, or confirm them by "
    "-e flask_confirm=%s."
)


def copies_of(name: str, defaults: Mapping[str, dict]) -> list[str]:
    """A variable and those of the roles that are the same by default."""
    same = "{{ %s }}" % name
    return [name] + [other for role in defaults.values() for other, default in role.items() if default == same]


def find_reasons(effect: str, extra: Iterable[str], defaults: Mapping[str, dict]) -> list[str]:
    """Why it matters that one application is meant; empty where it doesn't."""
    given = set(extra)
    reasons = ["This playbook %s." % effect] if effect else []
    names = [name for one in OF_ONE for name in copies_of(one, defaults) if name in given]
    return reasons + ["-e %s is for all of them." % name for name in names]


def find_unconfirmed(applications: Iterable[str], confirmed: Iterable[str]) -> list[str]:
    """The applications of a play that nobody named, where there are several."""
    applications, confirmed = sorted(applications), {name.strip() for name in confirmed}
    if len(applications) < 2 or "all" in confirmed:
        return []
    return [name for name in applications if name not in confirmed]


def question(applications: Iterable[str], reasons: Iterable[str]) -> str:
    applications = sorted(applications)
    return QUESTION % (
        len(applications), ", ".join(applications), " ".join(reasons), applications[0], ",".join(applications),
    )
