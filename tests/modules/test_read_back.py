# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dotenv writes, read by those who read it: python-dotenv, old and new, and the shells."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common import dotenv

VERSIONS = ["python-dotenv==0.15.0", "python-dotenv==0.21.1", "python-dotenv==1.2.1"]
SHELLS = [["dash", "-eu"], ["bash", "-eu"], ["bash", "--posix", "-eu"]]
READ = "import sys, json; sys.path.insert(0, sys.argv[1]); import dotenv; " \
       "print(json.dumps([dotenv.dotenv_values(path, encoding='utf-8') for path in sys.argv[2:]]))"
NASTY = [
    "p%4$#'\"@/ :\\w", "", " ", " a ", "#", "a #b", "a#b", "a b", "a=b", "*", "{a,b}", "!x", "~", "export A=1",
    "\\", "\\\\", "a\\", "it's\\", "\\'", '\\"', "'", '"', "'\"", "\\n", "'\\n'",
    "$", "$$", "$HOME", "${HOME}", "${HOME:-x}", "${", "}", "'}${'", "$(id)",
    "`id`", "`id` it's", "`${HOME}`", "a\\\\`b\\",
    "a\nb", "\n", "a\nb=c\n", "\r", "\r\n", "a\r\nb'`", "\t", "\u2028", "é ü € 日本 🙂",
    "mysql+pymysql://u:p%2F@localhost/db?unix_socket=/run/x.sock&charset=utf8mb4",
]
ALPHABET = "$`\\'\"{}#! \n\r\t:-=ab9@%é~*?[]()<>|;&"


def values(seed):
    """The nasty ones, then random ones, each with a key."""
    chance = random.Random(seed)
    found = NASTY + ["".join(chance.choices(ALPHABET, k=chance.randint(0, 14))) for _ in range(600)]
    return {"K%d" % number: value for number, value in enumerate(found)}


@pytest.fixture(scope="module", params=VERSIONS)
def library(request, kept):
    """A folder with a version of python-dotenv."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    return kept(request.param, [*pip, "--target", "FOLDER", request.param])


def by_python(library, *paths):
    """What python-dotenv returns for each file."""
    argv = [sys.executable, "-c", READ, library, *paths]
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)


def by_shell(shell, path):
    environment = {"PATH": os.environ["PATH"], "HOME": "/root"}
    argv = shell + ["-c", 'set -a; . "$1"; exec env -0', "sh", path, "an argument"]
    output = subprocess.run(argv, check=True, capture_output=True, env=environment).stdout.decode()
    return dict(line.split("=", 1) for line in output.split("\0") if line)


def differences(found, expected):
    return {key: (value, found.get(key)) for key, value in expected.items() if found.get(key) != value}


@pytest.mark.parametrize("seed", [1, 2])
def test_python_dotenv_reads_every_value_back(seed, library, run, tmp_path):
    path = tmp_path / ".env"
    assert run("dotenv", path=str(path), values=values(seed))["changed"]
    assert differences(by_python(library, path)[0], values(seed)) == {}
    assert not run("dotenv", path=str(path), values=values(seed))["changed"]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_shell_reads_every_value_back(shell, run, tmp_path):
    if not shutil.which(shell[0]):
        pytest.skip("%s is not installed" % shell[0])
    path = tmp_path / ".env"
    run("dotenv", path=str(path), values=values(3))
    assert differences(by_shell(shell, path), values(3)) == {}


def test_changed_and_removed_keys_leave_the_others_as_they_read(library, run, tmp_path):
    path, expected = tmp_path / ".env", values(4)
    by_hand = "# by hand\nexport FIRST='one' # why\nSECOND=\"two $FIRST\"\nTHIRD=${FIRST}\n\n"
    path.write_text(by_hand)
    run("dotenv", path=str(path), values=expected)
    gone = sorted(expected)[::3]
    changed = {key: expected[key][::-1] for key in sorted(expected)[1::3]}
    run("dotenv", path=str(path), values=changed, absent=gone)
    expected = {key: value for key, value in dict(expected, **changed).items() if key not in gone}
    hand = {"FIRST": "one", "SECOND": "two $FIRST", "THIRD": "one"}
    assert by_python(library, path) == [dict(expected, **hand)]
    assert differences(by_shell(["bash", "-eu"], path), expected) == {}
    assert path.read_text().startswith(by_hand)


def test_reads_any_file_as_python_dotenv_does(library, tmp_path):
    """The parser takes the same lines for the same keys, whatever is in a file."""
    chance = random.Random(5)
    pieces = ["A", "B", "=", "=", "'", '"', "\\", "#", " ", "\n", "\n", "\r\n", "export ", "x", "$", "{", "}", ":-", "é"]
    paths = [tmp_path / str(number) for number in range(200)]
    for path in paths:
        text = "".join("".join(chance.choices(pieces, k=12)) + "\n" for _ in range(8))
        path.write_bytes(text.encode())
        assert "".join(line.text() for line in dotenv.parse(text)) == text
    for path, found in zip(paths, by_python(library, *paths)):
        expected = {key: value for key, value in found.items() if value is not None}
        text = path.read_bytes().decode()
        assert dotenv.read(text) == expected, text
