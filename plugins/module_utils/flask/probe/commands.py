# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that an application adds to flask's own.

Part of what is sent to the application's own interpreter; see questions.
"""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.loader import load_app


def has_command(path: list) -> bool:
    """Whether the application has a command such as `translate compile`."""
    command, context = commands_of(load_app())
    for name in path:
        command = command.get_command(context, name) if hasattr(command, "get_command") else None
    return command is not None


def commands_of(app: object) -> tuple:
    """The flask command of an application, and a context to look into it."""
    import click
    from flask.cli import FlaskGroup, ScriptInfo

    group = FlaskGroup()
    return group, click.Context(group, obj=ScriptInfo(create_app=lambda *ignored: app))
