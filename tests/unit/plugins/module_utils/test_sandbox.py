# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command in the sandbox reaches, seen from inside: the tests are root, as the modules are."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.flask import sandbox as flask_sandbox
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox

pytestmark = pytest.mark.needs_root
USER = "nobody"
PYTHON = "/usr/bin/python3"
CONNECT = """
import socket, sys
kind, address = (socket.AF_INET, ("127.0.0.1", int(sys.argv[2]))) if sys.argv[1] == "tcp" else (socket.AF_UNIX, sys.argv[2])
socket.socket(kind).connect(address)
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of the user's, which he can come to, with a file in it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "rows").write_text("live")
    for path in (folder, folder / "rows"):
        os.chown(path, 65534, 65534)
    for path in (tmp_path, *tmp_path.parents):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    return folder


@pytest.fixture
def unix_socket(folder):
    """The path of a socket that somebody listens on, and everybody may connect to."""
    with socket.socket(socket.AF_UNIX) as server:
        path = str(folder / "db.sock")
        server.bind(path)
        server.listen()
        os.chmod(path, 0o777)
        yield path


@pytest.fixture
def port():
    """A port of the loopback device that somebody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield str(server.getsockname()[1])


def inside(sandbox, *command, **options):
    """Runs a command in the sandbox."""
    argv = sandbox.prefix() + list(command)
    return subprocess.run(argv, capture_output=True, text=True, check=False, **options)


def connects(sandbox, *address):
    return inside(sandbox, PYTHON, "-c", CONNECT, *address).returncode == 0


def test_it_is_the_user_who_runs(folder):
    assert inside(Sandbox(USER), "id", "-un").stdout == USER + "\n"


def test_no_socket_of_this_host_can_be_reached(unix_socket):
    outside = ["runuser", "-u", USER, "--", PYTHON, "-c", CONNECT, "unix", unix_socket]
    assert subprocess.run(outside, check=False).returncode == 0
    assert not connects(Sandbox(USER), "unix", unix_socket)
    assert not connects(Sandbox(USER, network=True), "unix", unix_socket)


def test_the_folders_of_the_database_servers_are_empty(folder, monkeypatch):
    """Also where the server starts just now, and its socket is not there yet."""
    monkeypatch.setattr(flask_sandbox, "SERVERS", (str(folder), str(folder) + "/not-there"))
    assert inside(Sandbox(USER, network=True), "ls", "-A", str(folder)).stdout == ""


def test_a_port_is_reached_with_the_network_alone(port):
    assert not connects(Sandbox(USER), "tcp", port)
    assert connects(Sandbox(USER, network=True), "tcp", port)


def test_what_is_written_to_a_discarded_folder_is_gone(folder):
    script = "cd '%s' && echo spoilt >rows && echo more >new && cat rows new" % folder
    done = inside(Sandbox(USER, discarded=(str(folder),)), "sh", "-ec", script)
    assert done.stdout == "spoilt\nmore\n", done.stderr
    assert (folder / "rows").read_text() == "live"
    assert os.listdir(folder) == ["rows"]


def test_the_working_folder_is_discarded_too(folder):
    done = inside(Sandbox(USER, discarded=(str(folder),)), "sh", "-c", "echo spoilt >rows", cwd=folder)
    assert (done.returncode, (folder / "rows").read_text()) == (0, "live")


def test_a_socket_in_a_discarded_folder_can_not_be_reached(folder, unix_socket):
    assert not connects(Sandbox(USER, discarded=(str(folder),)), "unix", unix_socket)


def test_a_hidden_folder_is_empty_and_stays_so(folder):
    script = "ls -A '%s'; touch '%s/new'" % (folder, folder)
    done = inside(Sandbox(USER, hidden=(str(folder),)), "sh", "-c", script)
    assert (done.stdout, done.returncode != 0) == ("", True)
    assert os.listdir(folder) == ["rows"]


def test_nothing_else_is_changed(folder):
    """Environment, standard input, working folder, descriptors and other folders are the parent's."""
    read, write = os.pipe()
    passes = "%s -c 'import os; os.write(%d, b\"passed\\n\")'" % (PYTHON, write)
    script = "echo $WORD; cat; pwd; %s; echo more >new" % passes
    environment = dict(os.environ, WORD="a word", PATH="/nowhere/bin:/usr/bin:/bin")
    done = inside(
        Sandbox(USER, hidden=("/var/lib",)), "sh", "-ec", script,
        input="said\n", cwd=folder, env=environment, pass_fds=[write],
    )
    os.close(write)
    assert done.returncode == 0, done.stderr
    with os.fdopen(read) as file:
        assert file.read() == "passed\n"
    assert done.stdout == "a word\nsaid\n%s\n" % folder
    assert (folder / "new").read_text() == "more\n"


@pytest.mark.parametrize("stale", ["/usr", "/nowhere", ""])
def test_the_working_folder_is_not_what_the_environment_says(stale, folder):
    """sudo leaves there where its user was."""
    done = inside(Sandbox(USER), "pwd", "-P", cwd=folder, env=dict(os.environ, PWD=stale))
    assert done.stdout == "%s\n" % folder


def test_root_runs_no_program_of_the_environment(folder, tmp_path):
    """The path begins with programs that others wrote."""
    for name in ("sh", "mount", "chown", "runuser", "unshare"):
        (tmp_path / name).write_text("#!/bin/sh\nid -un >>%s/ran\n" % tmp_path)
        (tmp_path / name).chmod(0o755)
    environment = dict(os.environ, PATH="%s:/usr/bin:/bin" % tmp_path)
    done = inside(Sandbox(USER, discarded=(str(folder),)), "id", "-un", env=environment)
    assert done.stdout == USER + "\n"
    assert not (tmp_path / "ran").exists()


def test_nothing_runs_where_it_can_not_be_set_up(monkeypatch, folder, unix_socket):
    monkeypatch.setattr(flask_sandbox, "SCRIPT", flask_sandbox.SCRIPT.replace("/dev/null", "/dev/no-such-file"))
    done = inside(Sandbox(USER), "touch", str(folder / "ran"))
    assert done.returncode != 0 and "no-such-file" in done.stderr
    assert not (folder / "ran").exists()


def test_a_folder_that_can_not_be_discarded_is_read_only(monkeypatch, folder):
    """A kernel without overlay file systems."""
    monkeypatch.setattr(flask_sandbox, "SCRIPT", flask_sandbox.SCRIPT.replace("mount -t overlay", "false"))
    done = inside(Sandbox(USER, discarded=(str(folder),)), "sh", "-c", "cat rows; echo spoilt >rows", cwd=folder)
    assert (done.returncode != 0, done.stdout) == (True, "live")
    assert (folder / "rows").read_text() == "live"
