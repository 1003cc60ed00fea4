# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that root runs, also as somebody else, with what they have said where they fail."""

from __future__ import annotations

import os
import subprocess

LAST_LINES = 20

held = []  # descriptors that keep an application's step; children inherit them


class CommandError(Exception):
    """A program that failed, with the last of what it said."""


def run(argv: list, user: str = "", data: bytes = b"") -> bytes:
    """A program's output; CommandError where it fails. No secret belongs into its arguments."""
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    try:
        done = subprocess.run(
            as_user(argv, user), input=data, capture_output=True, env=environment, pass_fds=held, check=False
        )
    except OSError as error:
        raise CommandError("`%s` can't be run: %s" % (argv[0], error)) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-LAST_LINES:]
        raise CommandError("`%s` ended with exit code %d: %s" % (argv[0], done.returncode, "\n".join(said)))
    return done.stdout


def as_user(argv: list, user: str) -> list:
    """The command by which root runs a program as somebody else; the program itself where that is nobody."""
    return (["runuser", "-u", user, "--"] if user else []) + argv
