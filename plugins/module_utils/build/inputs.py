# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What uv is given: the files of a release as they are where it can read them, and what stands for the others."""

from __future__ import annotations

import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import Needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements_files import plain, write_plainly
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree

# What uv's lock has beside what serves: the project itself, and what it is developed with.
EXPORT = ["export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate"]


class Inputs:
    """The arguments and files by which an application's requirements are installed."""

    def __init__(self, tree: Tree, needs: Needs, params: dict) -> None:
        self.tree = tree
        self.needs = needs
        self.params = params
        self.texts = [*needs.texts.values(), *needs.lines, *needs.pins]
        self.name = os.path.relpath(needs.path, tree.folder)

    @property
    def is_exclusive(self) -> bool:
        """Whether no other package may be installed with them."""
        hashed = self.needs.how == "files" and any("--hash=" in text for text in self.texts)
        return hashed or self.needs.how == "pylock"

    def export(self) -> list:
        """The command of uv whose output says what to install; empty where that is known without."""
        return [*EXPORT, *self.chosen("")] if self.needs.how == "export" else []

    def chosen(self, place: str) -> list:
        """The arguments for extras and groups."""
        extras = [word for name in self.params["extras"] for word in ("--extra", name)]
        return extras + [word for name in self.params["groups"] for word in ("--group", place + name)]

    def write(self, folder: str, exported: str) -> list:
        """The arguments that name what the application itself needs."""
        needs, own = self.needs, ["-e", "."] if self.needs.is_package else []
        if needs.how == "files":
            return ["-r", self.write_files(folder)]
        if needs.how == "project":
            return ["-r", needs.path, *self.chosen(needs.path + ":"), *own]
        if needs.how == "pylock":
            return ["-r", needs.path, *self.chosen("")]
        lines = [exported] if needs.how == "export" else needs.lines
        limits = needs.pins if needs.how == "lines" else []
        constraints = ["-c", self.write_lines(folder, "constraints.txt", limits)] if limits else []
        return ["-r", self.write_lines(folder, "requirements.txt", lines), *constraints, *own]

    def write_files(self, folder: str) -> str:
        """The requirements' file, or a copy of it that uv can read."""
        texts = self.needs.texts
        if all(is_read_by_uv(path, plain(text, path, self.tree)) for path, text in texts.items()):
            return self.needs.path
        write_plainly(texts, self.tree, folder)
        return os.path.join(folder, os.path.relpath(self.needs.path, self.tree.top))

    def write_lines(self, folder: str, name: str, lines: list) -> str:
        """A file of such lines."""
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(plain("\n".join(lines) + "\n", self.needs.path, self.tree))
        return path

    @staticmethod
    def with_names(said: str) -> str:
        """What uv said, with the names of the files in the repository."""
        return re.sub(r"/\S*/selfhost-requirements-\w+/", "", said)


def is_read_by_uv(path: str, text: str) -> bool:
    """Whether a file has just this text, as UTF-8."""
    with open(path, "rb") as file:
        return file.read().replace(b"\r\n", b"\n") == text.encode()
