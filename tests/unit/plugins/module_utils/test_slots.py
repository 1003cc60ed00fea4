# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slot is stopped when all whom the proxy has sent to its socket are let in."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import let_in


@pytest.fixture
def listener(tmp_path):
    """A server's socket, at which somebody waits already."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as waiting:
        server.bind(str(tmp_path / "blue.sock"))
        server.listen(8)
        waiting.connect(server.getsockname())
        yield server


def test_who_waits_at_the_socket_is_let_in_first(listener):
    held, answered = [], threading.Event()

    def accept() -> None:
        held.append(listener.accept()[0])
        answered.wait(0.3)  # a busy server takes its time between the two
        with listener.accept()[0] as last:
            assert last.recv(1) == b""

    server = threading.Thread(target=accept)
    server.start()
    let_in(listener.getsockname())
    assert len(held) == 1 and not server.join(5) and not server.is_alive()
    held[0].close()


def test_a_server_that_lets_nobody_in_is_not_waited_for_without_end(listener):
    begin = time.monotonic()
    let_in(listener.getsockname(), seconds=0.2)
    assert 0.2 <= time.monotonic() - begin < 5


def test_a_server_that_is_gone_is_not_waited_for(listener, tmp_path):
    listener.close()
    let_in(str(tmp_path / "blue.sock"))
    let_in(str(tmp_path / "nowhere.sock"))
