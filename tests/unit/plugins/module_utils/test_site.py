# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common import process as common_process
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


@pytest.fixture
def site(tmp_path):
    return Site("blog", str(tmp_path), "")


@pytest.fixture
def sleeper():
    """Starts processes that inherit what a step's children inherit."""
    started = []

    def sleeper():
        started.append(subprocess.Popen(["sleep", "60"], pass_fds=common_process.held))
        return started[-1]

    yield sleeper
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("folder, name", [
    ("releases/v1", "v1"), ("releases/v1/web/app", "v1"), ("", ""),
])
def test_the_release_that_a_folder_is_in(folder, name, site):
    assert site.release_name(folder and site.path(folder)) == name


def test_what_is_the_deployment_s_own_is_root_s_alone(site):
    path = site.own("journal.json")
    assert path == site.path("deployment/journal.json")
    assert oct(os.stat(site.path("deployment")).st_mode)[-3:] == "700"


class TestStep:
    """One process at a time changes an application."""

    def test_is_free_again_afterwards_also_after_an_error(self, site):
        with step(site.root, patience=0):
            assert len(common_process.held) == 1
        with pytest.raises(ValueError), step(site.root, patience=0):
            raise ValueError
        with step(site.root, patience=0):
            pass
        assert common_process.held == []

    def test_another_one_is_refused_and_two_applications_are_not_in_each_other_s_way(self, site, tmp_path):
        (tmp_path / "another").mkdir()
        with step(site.root):
            with pytest.raises(Busy, match="after 0 s. Wait until it has ended."), step(site.root, patience=0):
                pass
            with step(str(tmp_path / "another"), patience=0):
                pass

    @pytest.mark.parametrize("patience", [5, None])
    def test_waits_for_a_child_that_outlives_it(self, patience, site, sleeper):
        with step(site.root):
            child = sleeper()
        with pytest.raises(Busy), step(site.root, patience=0.1):
            pass
        begin = time.monotonic()
        threading.Timer(0.2, child.kill).start()
        with step(site.root, patience=patience):
            assert 0.1 < time.monotonic() - begin < 4

    def test_waits_for_what_a_killed_process_has_started(self, site, tmp_path):
        (tmp_path / "program.pyz").write_bytes(program.packed())
        source = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from %s.site.lock import step\n"
            "from %s.common.process import run\n"
            "with step(sys.argv[2]): run(['sh', '-c', 'echo $$ >%s/child; exec sleep 60'])\n"
        ) % (program.PACKAGE, program.PACKAGE, tmp_path)
        command = [sys.executable, "-I", "-c", source, str(tmp_path / "program.pyz"), site.root]
        with subprocess.Popen(command) as process:
            while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
                time.sleep(0.01)
            process.kill()
        with pytest.raises(Busy), step(site.root, patience=0):
            pass
        os.kill(int((tmp_path / "child").read_text()), 9)
        with step(site.root, patience=5):
            pass

    def test_what_is_done_keeps_the_lock_of_the_deployment(self, site):
        lock = Lock(site)
        lock.take({"id": "me"}, [])
        os.utime(lock.path, (0, 0))
        with step(site.root):
            assert lock.holder()["idle"] < 5
            os.utime(lock.path, (0, 0))
        assert lock.holder()["idle"] < 5


class TestLock:
    """Whose deployment it is."""

    def test_belongs_to_the_first_who_takes_it(self, site):
        lock = Lock(site)
        assert lock.holder() is None and lock.take({"id": "me"}, []) is None
        assert lock.take({"id": "you"}, [])["id"] == "me"
        assert lock.take({"id": "me"}, []) is None

    def test_one_of_many_at_once_gets_it(self, site):
        site.own()
        found = []
        threads = [threading.Thread(target=lambda n=n: found.append(Lock(site).take({"id": n}, []))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found.count(None) == 1 and {one["id"] for one in found if one} == {Lock(site).holder()["id"]}

    def test_is_given_back_by_its_owner_alone(self, site):
        lock = Lock(site)
        assert lock.release("me") is None
        lock.take({"id": "me", "owner": "ana"}, [])
        assert lock.release("you") is None and lock.holder()
        assert lock.release("me")["owner"] == "ana" and lock.holder() is None

    def test_one_that_is_gone_is_not_made_by_a_touch(self, site):
        Lock(site).touch()
        assert Lock(site).holder() is None


class TestRun:
    """A program that root runs."""

    def test_gives_its_output(self):
        assert run(["cat"], data=b"text") == b"text"
        assert run(["sh", "-c", "echo $LC_ALL"]) == b"C.UTF-8\n"

    @pytest.mark.parametrize("argv, said", [
        (["sh", "-c", "echo out; echo no such database >&2; exit 3"], "`sh` ended with exit code 3: no such database$"),
        (["no-such-program"], "`no-such-program` can't be run: "),
    ])
    def test_says_what_failed(self, argv, said):
        with pytest.raises(CommandError, match=said):
            run(argv)

    def test_says_only_the_last_of_much(self):
        with pytest.raises(CommandError) as error:
            run(["sh", "-c", "seq 100 >&2; exit 1"])
        assert str(error.value).splitlines()[-1] == "100" and len(str(error.value).splitlines()) == 20

    def test_inherits_the_step(self, site):
        with step(site.root):
            found = run(["readlink", "/proc/self/fd/%d" % common_process.held[0]])
        assert found.decode().strip() == site.path("deployment/step")
