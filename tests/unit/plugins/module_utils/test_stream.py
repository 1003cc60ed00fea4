# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How programs are given a dump, and how their output is taken."""

from __future__ import annotations

import gzip
import io

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import feed

MARK = b"-- the end\n"


def test_a_program_gets_what_is_before_the_mark_and_the_next_one_the_rest(tmp_path):
    wanted = {"first": b"tables\n", "second": b"views\n" + b"rows\n" * 100000}
    with gzip.open(io.BytesIO(gzip.compress(MARK.join(wanted.values())))) as dump:
        for name, mark in (("first", MARK), ("second", b"")):
            feed(["sh", "-c", "cat >%s" % (tmp_path / name)], dump, mark=mark)
    assert {name: (tmp_path / name).read_bytes() for name in wanted} == wanted


@pytest.mark.parametrize("size", [10, 1 << 22])
def test_one_that_ends_before_it_has_read_all_says_why(size):
    with pytest.raises(CommandError, match="exit code 4: no such database"):
        feed(["sh", "-c", "echo no such database >&2; exit 4"], io.BytesIO(b"x" * size))
