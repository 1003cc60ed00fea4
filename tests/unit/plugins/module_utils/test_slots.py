# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slot is stopped when all whom the proxy has sent to its socket are let in, and is started anew in the other one."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import slots as slots_module
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import let_in
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


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


class Processes:
    """A process manager that does what it is told."""

    def __init__(self):
        self.said = []

    def start(self, program):
        self.said.append("start " + program)

    def stop(self, program):
        self.said.append("stop " + program)


def test_a_slot_is_renewed_in_the_other_one_as_it_was_launched(tmp_path, monkeypatch):
    monkeypatch.setattr(slots_module, "manager_of", lambda site: Processes())
    monkeypatch.setattr(slots_module.Slots, "check", lambda *dummy: None)
    for name, text in {"blue.fingerprint": "f1", "blue.settings/.env": "KEY=launched", "green.fingerprint": "f0", "green.settings/old": ""}.items():
        (tmp_path / "slots" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "slots" / name).write_text(text)
    (tmp_path / "slots/blue").symlink_to("/srv/blog/releases/v1")
    slots = slots_module.Slots(Site("blog", str(tmp_path), str(tmp_path)))
    slots.renew("blue", "green")
    assert slots.release("green") == "/srv/blog/releases/v1" and slots.started_from("green") == "f1"
    assert [path.read_text() for path in (tmp_path / "slots/green.settings").iterdir()] == ["KEY=launched"]
    assert slots.processes.said == ["stop blog-green", "start blog-green"]
