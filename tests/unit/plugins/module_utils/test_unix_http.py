# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.unix_http import get


def test_gets_a_page_from_a_socket(serve):
    server = serve(status=404, text="nothing hére", release="v1")
    answer = get(server.server_address, "/page?x=1", {"Host": "blog.example.com"}, 5)
    assert (answer.status, answer.text, answer.headers["x-release"]) == (404, "nothing hére", "v1")
    path, headers = server.requests[0]
    assert (path, headers["Host"]) == ("/page?x=1", "blog.example.com")


def test_reads_no_more_than_a_page_needs(serve):
    server = serve(text="x" * 100000)
    assert len(get(server.server_address, "/", {}, 5).text) == 65536


@pytest.mark.parametrize("listens", [False, True], ids=["no socket", "no answer"])
def test_a_server_that_does_not_answer_is_an_error(listens, short_path):
    with socket.socket(socket.AF_UNIX) as server:
        if listens:
            server.bind(str(short_path / "s"))
            server.listen()
        with pytest.raises(OSError):
            get(str(short_path / "s"), "/", {}, 0.1)
