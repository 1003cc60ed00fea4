# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.site import records as site_records
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import (
    ABANDONED,
    FAILED,
    SERVED,
    Records,
    sentence,
)
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def site(tmp_path, monkeypatch):
    for name in ("blog/releases", "blog/venvs", "blog/slots", "log", "backups"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(site_records, "dump_folder", lambda site: str(tmp_path / "backups"))
    return Site("blog", str(tmp_path / "blog"), str(tmp_path / "log"))


def build(site, name, venv="one", subfolder="", sealed=True):
    """A release that is on the host."""
    folder = site.path("releases", name, subfolder)
    os.makedirs(folder)
    os.makedirs(site.path("venvs", venv), exist_ok=True)
    os.symlink(os.path.relpath(site.path("venvs", venv), folder), os.path.join(folder, ".venv"))
    if sealed:
        open(site.path("releases", name, ".release.json"), "w", encoding="ascii").close()


def noted(site, *entries):
    """Records with entries such as `v1 served`, of releases that are on the host."""
    records = Records(site)
    for entry in entries:
        name, dummy, outcome = entry.partition(" ")
        if not os.path.exists(site.path("releases", name)):
            build(site, name)
        records.add({"release": name, "outcome": outcome})
    return records


def test_what_was_noted_is_there_for_programs_and_for_people(site):
    assert Records(site).entries == []
    Records(site).add({"release": "v1", "outcome": SERVED, "from": ""})
    Records(site).add({"release": "v2", "outcome": FAILED, "from": "v1", "problem": "no table\nand more"})
    found = Records(site).entries
    assert [(entry["release"], entry["outcome"]) for entry in found] == [("v1", SERVED), ("v2", FAILED)]
    assert all(TIME.fullmatch(entry["time"]) for entry in found)
    with open(os.path.join(site.log, "deploy.log"), encoding="utf-8") as file:
        assert [line[len("2024-01-01T12:00:00Z"):].split() for line in file] == [
            ["served", "v1"], "FAILED v2 after v1 - no table".split(),
        ]
    assert oct(os.stat(site.path("releases.json")).st_mode)[-3:] == "640"


def test_the_oldest_entries_go(site, monkeypatch):
    monkeypatch.setattr(site_records, "KEPT_ENTRIES", 3)
    records = noted(site, *["v%d served" % number for number in range(5)])
    with open(records.path, encoding="utf-8") as file:
        assert [entry["release"] for entry in json.load(file)] == ["v2", "v3", "v4"]


# what was noted, and which releases a rollback chooses from, the newest first
GOOD = {
    "in their order": (["v1 served", "v2 served"], ["v2", "v1"]),
    "served again": (["v1 served", "v2 served", "v1 served"], ["v1", "v2"]),
    "one that failed": (["v1 served", "v2 failed"], ["v1"]),
    "one that was mended": (["v1 failed", "v1 served"], ["v1"]),
    "one that was abandoned": (["v1 served", "v2 served", "v2 rolled back", "v1 served"], ["v1"]),
    "one that was abandoned and served again": (["v1 served", "v1 rolled back", "v1 served"], ["v1"]),
    "none": ([], []),
}


@pytest.mark.parametrize("case", GOOD)
def test_which_releases_are_good(case, site):
    entries, good = GOOD[case]
    assert noted(site, *entries).good() == good


def test_a_release_that_was_served_stays_good_where_a_later_launch_of_it_failed(site):
    """Such as with settings that were wrong, or as the target of a rollback with a newer database."""
    assert noted(site, "v1 served", "v2 served", "v1 failed").good() == ["v2", "v1"]


def test_a_release_that_is_gone_or_incomplete_is_not_good(site):
    build(site, "v2", sealed=False)
    records = noted(site, "v1 served", "v2 served", "v3 served")
    os.rename(site.path("releases/v3"), site.path("gone"))
    assert records.good() == ["v1"]


def test_the_last_entry_of_a_release_as_it_was_served(site):
    records = Records(site)
    for about in (dict(outcome=SERVED, revision=["a1"]), dict(outcome=SERVED, revision=["b2"]), dict(outcome=FAILED)):
        records.add(dict(about, release="v1"))
    assert records.served("v1")["revision"] == ["b2"]
    assert records.served("v2") == {}


class TestPruning:
    """Which releases, environments and dumps stay."""

    @pytest.mark.parametrize("number, kept", [(2, {"v2", "v3"}), (1, {"v3"}), (0, {"v3"}), (9, {"v1", "v2", "v3"})])
    def test_the_newest_stay_and_always_one(self, number, kept, site):
        records = noted(site, "v1 served", "v2 served", "v3 served")
        assert records.prune(number) == sorted({"v1", "v2", "v3"} - kept)
        assert set(os.listdir(site.path("releases"))) == kept

    def test_what_failed_or_was_never_finished_goes(self, site):
        for name in (".incoming-x", "v0"):
            build(site, name, venv="unused", sealed=False)
        assert noted(site, "v1 served", "v2 failed").prune(9) == [".incoming-x", "v0", "v2"]
        assert os.listdir(site.path("venvs")) == ["one"]

    def test_a_file_among_the_releases_goes_as_well(self, site):
        for name in ("releases", "venvs"):
            with open(site.path(name, "stray"), "w", encoding="utf-8"):
                pass
        assert noted(site, "v1 served").prune(9) == ["stray"]

    def test_what_was_abandoned_stays_for_as_long_as_another(self, site):
        records = noted(site, "v1 served", "v2 served", "v2 rolled back", "v1 served")
        assert records.prune(2) == []
        assert records.prune(1) == ["v2"]

    def test_what_a_slot_has_stays_whatever_is_noted_of_it(self, site):
        records = noted(site, "v1 failed", "v2 served", "v3 served")
        os.symlink(site.path("releases/v1"), site.path("slots/blue"))
        os.mkdir(site.path("slots/blue.settings"))
        assert records.prune(1) == ["v2"]

    def test_environments_that_a_kept_release_uses_stay(self, site):
        for name, venv in (("v1", "one"), ("v2", "two"), ("v3", "three")):
            build(site, name, venv, subfolder="web")
        noted(site, "v1 served", "v2 served", "v3 served").prune(2)
        assert set(os.listdir(site.path("venvs"))) == {"two", "three"}

    def dumped(self, site, records, release, **about):
        """A release that was served after a dump."""
        dump = os.path.join(site_records.dump_folder(site), "before-" + release)
        for suffix in (".gz", ".json"):
            open(dump + suffix, "w", encoding="ascii").close()
        if not os.path.exists(site.path("releases", release)):
            build(site, release)
        records.add(dict(about, release=release, outcome=SERVED, dump=dump))

    def dumps(self, site):
        return sorted({name.partition(".")[0] for name in os.listdir(site_records.dump_folder(site))})

    def test_dumps_that_a_kept_release_was_migrated_from_stay(self, site):
        records = Records(site)
        for name in ("v1", "v2", "v3"):
            self.dumped(site, records, name)
        open(os.path.join(site_records.dump_folder(site), "of-a-failure.gz"), "w", encoding="ascii").close()
        records.prune(2)
        assert self.dumps(site) == ["before-v2", "before-v3"]

    def test_the_dump_of_an_abandoned_release_stays_with_it(self, site):
        records = noted(site, "v1 served")
        self.dumped(site, records, "v2")
        records.add({"release": "v2", "outcome": ABANDONED})
        records.add({"release": "v1", "outcome": SERVED})
        records.prune(2)
        assert self.dumps(site) == ["before-v2"]

    def test_a_dump_stays_where_its_release_was_launched_again_without_one(self, site):
        """Such as with other settings; to go back behind the release still needs the dump."""
        records = noted(site, "v1 served")
        self.dumped(site, records, "v2")
        records.add({"release": "v2", "outcome": SERVED})
        records.prune(2)
        assert self.dumps(site) == ["before-v2"]


@pytest.mark.parametrize("entry, line", [
    (dict(outcome=SERVED), "served v2"),
    (dict(outcome=ABANDONED, by="ana@laptop"), "ROLLED BACK v2 by ana@laptop"),
    (
        {"outcome": SERVED, "from": "v1", "revision": ["a1", "b2"], "seconds": {"build": 12, "dump": 0.26}},
        "served v2 after v1 database at a1, b2 (build 12.0 s, dump 0.3 s)",
    ),
])
def test_an_entry_as_a_line_of_the_log(entry, line):
    assert sentence(dict(entry, release="v2", time="now")) == "now " + line
