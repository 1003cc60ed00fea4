# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the format of requirements.txt: what they include, their lines, and how every installer reads them."""

from __future__ import annotations

import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import git_url
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, read_inside

COMMENT = re.compile(r"(?:^|\s+)#.*$", re.M)
CONTINUED = re.compile(r"\\\n")
INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", re.M)
EDITABLE = re.compile(r"(?:-e|--editable)[ =]*")
EDITABLE_GIT = re.compile(r"^([ \t]*)(?:-e|--editable)[ =]*(?=(?:[^\s@]+\s*@\s*)?git\+)", re.M)
GIT = re.compile(r"(?<=git\+)[^\s#;]+")
USER = re.compile(r"(?<=git\+https://)[^/@\s]+@|(?<=git\+http://)[^/@\s]+@")
FOUND_IN = re.compile(r"^([ \t]*(?:-f|--find-links)[ =]*)(?!\w+://)(\S+)", re.M)
# Debian's own pip has once written it; no index has such a package. The options are pip's alone.
NOT_ON_ANY_INDEX = re.compile(r"^[ \t]*pkg[-_]resources[ \t]*==[ \t]*0\.0\.0[ \t]*(?:#.*)?$", re.M | re.I)
OF_PIP_ALONE = re.compile(r"[ \t]+--(?:install|global)-option(?:=|[ \t]+)(?:\"[^\"\n]*\"|'[^'\n]*'|\S+)")


def included(tree: Tree, path: str) -> dict:
    """A requirements file and, each once, those that it includes, with their texts."""
    found, waiting = {}, [path]
    while waiting:
        path = os.path.normpath(waiting.pop())
        text = None if path in found else read_inside(tree, path)
        if text is not None:
            found[path] = text
            waiting.extend(included_paths(path, text))
    return found


def included_paths(path: str, text: str) -> list:
    """The files that one includes by -r or -c; what is on a web server is the installer's matter."""
    names = [] if path.endswith(".toml") else INCLUDE.findall(COMMENT.sub("", text))
    return [os.path.normpath(os.path.join(os.path.dirname(path), name)) for name in names if "://" not in name]


def logical_lines(text: str) -> list[str]:
    """The lines of a requirements file without comments; those that are continued as one."""
    return [line for line in map(str.strip, CONTINUED.sub(" ", COMMENT.sub("", text)).split("\n")) if line]


def plain(text: str, path: str, tree: Tree) -> str:
    """A text as every installer reads it, whichever one it was written for.

    uv refuses what is editable and in git, scp's way to write a URL, and options that only pip has. A user in a URL
    would be in git's arguments, which everybody can read.
    """
    text = EDITABLE_GIT.sub(r"\1", NOT_ON_ANY_INDEX.sub("", OF_PIP_ALONE.sub("", text)))
    text = USER.sub("", GIT.sub(lambda match: git_url(match.group()), text))
    return FOUND_IN.sub(lambda match: match[1] + folder_of(match[2], path, tree), text)


def folder_of(name: str, path: str, tree: Tree) -> str:
    """Where a file means packages to be: beside itself, or in the application's folder."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    return beside if os.path.isdir(beside) else os.path.normpath(os.path.join(tree.folder, name))


def write_plainly(texts: dict, tree: Tree, folder: str) -> None:
    """Writes the files with the places that they have in the tree, so that they find each other."""
    for path, text in texts.items():
        copy = os.path.join(folder, os.path.relpath(path, tree.top))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "w", encoding="utf-8") as file:
            file.write(plain(text, path, tree))
