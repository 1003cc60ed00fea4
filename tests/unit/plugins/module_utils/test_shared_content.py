# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.shared.content import bring

CONFIG = "instance/config.py"


class Host:
    """A host's shared folder, to which releases bring files."""

    def __init__(self, folder):
        self.folder, self.known, self.number = folder, {}, 0

    def bring(self, replace=True, failed="", **files):
        """Files by their name, in which __ stands for a slash; which of them were kept."""
        self.number += 1
        source = self.folder / str(self.number) / ".brought"
        source.mkdir(parents=True)
        for name, text in files.items():
            path = source / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        said = bring(str(source), str(self.folder / "shared"), replace, self.known, failed)
        self.known = said["brought"]
        return said["kept"] + said["data"]

    @property
    def config(self):
        return self.folder / "shared" / CONFIG


@pytest.fixture
def host(tmp_path):
    (tmp_path / "shared/instance").mkdir(parents=True)
    return Host(tmp_path)


def test_what_is_missing_is_brought_whenever_a_release_has_something_new(host):
    host.bring(replace=False, instance__config="VERSION = 1", uploads__deep__default="x")
    host.bring(replace=False, instance__config="VERSION = 1", instance__more="new")
    assert host.config.read_text() == "VERSION = 1"
    assert (host.folder / "shared/uploads/deep/default.py").read_text() == "x"
    assert (host.folder / "shared/instance/more.py").read_text() == "new"


def test_a_file_follows_the_release_that_is_launched_while_nobody_changes_it(host):
    host.bring(instance__config="VERSION = 1")
    assert host.bring(replace=False, instance__config="VERSION = 2") == []
    assert host.config.read_text() == "VERSION = 1"
    assert host.bring(instance__config="VERSION = 2") == []
    assert host.config.read_text() == "VERSION = 2"
    host.bring(instance__config="VERSION = 1")
    assert host.config.read_text() == "VERSION = 1"


def test_what_the_host_changed_stays_and_is_said_once(host):
    host.bring(instance__config="VERSION = 1")
    host.config.write_text("MINE = 1")
    assert host.bring(instance__config="VERSION = 1") == []
    assert host.bring(instance__config="VERSION = 2") == [CONFIG]
    assert host.bring(instance__config="VERSION = 2") == []
    assert host.config.read_text() == "MINE = 1"


def test_what_was_there_before_anything_was_brought_stays(host):
    host.config.write_text("MINE = 1")
    assert host.bring(replace=False, instance__config="VERSION = 1") == []
    assert host.bring(instance__config="VERSION = 1") == [CONFIG]
    assert host.config.read_text() == "MINE = 1"


def test_what_the_application_removed_does_not_come_back_until_it_is_another(host):
    host.bring(instance__config="VERSION = 1")
    host.config.unlink()
    host.bring(instance__config="VERSION = 1")
    assert not host.config.exists()
    host.bring(instance__config="VERSION = 2")
    assert host.config.read_text() == "VERSION = 2"


def test_a_link_of_the_application_is_not_written_through(host, tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    host.config.symlink_to(tmp_path / "elsewhere")
    assert host.bring(instance__config="VERSION = 1") == [CONFIG]
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_a_file_in_the_place_of_a_folder_stays(host):
    (host.folder / "shared/uploads").write_text("theirs")
    assert host.bring(uploads__default="x") == []
    assert (host.folder / "shared/uploads").read_text() == "theirs"


def test_what_a_killed_release_brought_and_did_not_note_goes_back(host):
    host.bring(instance__config="VERSION = 1")
    known = host.known
    host.bring(instance__config="VERSION = 2", instance__more="new")
    host.known = known
    assert host.bring(failed=str(host.folder / "2/.brought"), instance__config="VERSION = 1") == []
    assert host.config.read_text() == "VERSION = 1" and "instance/more.py" in host.known


def test_what_the_host_changed_stays_when_a_release_is_taken_back(host):
    host.bring(instance__config="VERSION = 1")
    host.bring(instance__config="VERSION = 2")
    host.config.write_text("MINE = 1")
    host.bring(failed=str(host.folder / "2/.brought"), instance__config="VERSION = 1")
    assert host.config.read_text() == "MINE = 1"


def test_a_sqlite_file_is_brought_once_and_is_the_application_s_from_then_on(host):
    first, second = ("SQLite format 3\0" + text for text in ("one", "two"))
    assert host.bring(instance__config=first) == []
    assert host.bring(instance__config=second) == [CONFIG]
    assert host.config.read_text() == first
    assert host.bring(instance__config=second) == [] and host.config.read_text() == first
