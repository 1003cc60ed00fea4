# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of an application's .env: those that it has, those that a version asks for, and what differs."""

from __future__ import annotations

import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import parse, unquoted
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable, read_inside

# What an example says of the flask command, of Python and of containers; a deployment sets its own, or needs none.
NOT_DEMANDED = re.compile(r"FLASK_(APP|DEBUG|ENV|SKIP_DOTENV|RUN_.*)|PYTHON.*|COMPOSE_.*|DOCKER_.*|BUILDKIT_.*")

# A comment of .env, which comes and goes with the file: the settings of a version say themselves which are Ansible's.
MARK = "# Written by Ansible, and removed once it is not told to write them any more: "


def managed_keys(text: str) -> list[str]:
    """The keys of a .env file that Ansible has written and may remove."""
    found = [line.after for line in parse(text) if not line.key and line.after.startswith(MARK)]
    return " ".join(line[len(MARK):] for line in found).split()


def mark_managed(text: str, keys: list[str]) -> str:
    """The text with a comment that names these keys."""
    lines = [line for line in parse(text) if line.key or not line.after.startswith(MARK)]
    if managed_keys(text) == sorted(keys):
        return text
    text = "".join(line.text() for line in lines)
    return text + ("\n" if text and not text.endswith("\n") else "") + MARK + " ".join(sorted(keys)) + "\n"


def assigned_keys(text: str) -> list[str]:
    """The keys that a .env file gives a value which is not empty, each once."""
    return list(dict.fromkeys(line.key for line in parse(text) if line.key and line.value and unquoted(line.value)))


def demanded_keys(example: str) -> list[str]:
    """The keys that a .env.example asks for. One that it leaves empty may be empty, which is often what is safe."""
    return [key for key in assigned_keys(example) if not NOT_DEMANDED.fullmatch(key)]


def example_keys(tree: Tree) -> list[str]:
    """The keys that the application's .env.example asks for, or else the repository's."""
    texts = (read_inside(tree, os.path.join(folder, ".env.example")) for folder in (tree.folder, tree.top))
    return demanded_keys(next((text for text in texts if text is not None), ""))


def compare_keys(text: str, wanted: list[str], required: list[str]) -> dict:
    """Which keys will be new in a .env file, which will be gone, and which will be missing."""
    present = assigned_keys(text)
    return dict(
        added=[key for key in wanted if key not in present],
        removed=[key for key in managed_keys(text) if key in present and key not in wanted],
        missing=[printable(key) for key in required if key not in present and key not in wanted],
    )
