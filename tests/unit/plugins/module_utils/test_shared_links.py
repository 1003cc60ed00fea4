# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link that the application has made from shared/ into its release is one into the release that is launched."""

from __future__ import annotations

import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.shared import links, record
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


@pytest.fixture
def host(tmp_path):
    """Two releases, of which the first has a file that the second lacks."""
    for name in ("v1/static/a.css", "v1/static/old.css", "v2/static/a.css"):
        (tmp_path / "releases" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "releases" / name).touch()
    (tmp_path / "slots").mkdir()
    (tmp_path / "slots/blue").symlink_to("../releases/v1")
    (tmp_path / "shared/instance/deep").mkdir(parents=True)
    return tmp_path


def launch(host, monkeypatch, release):
    monkeypatch.setattr("sys.argv", ["x", str(host / "shared"), str(host), release, "instance"])
    links.main()


TARGETS = {
    "releases/v1/static/a.css": "releases/v2/static/a.css",
    "releases/v1/static": "releases/v2/static",
    "releases/v1": "releases/v2",
    "slots/blue/static/a.css": "releases/v2/static/a.css",
    "releases/v1/static/old.css": "releases/v1/static/old.css",
    "shared/instance/deep": "shared/instance/deep",
    "current/static": "current/static",
}


@pytest.mark.parametrize("target", TARGETS)
def test_it_follows_the_release_that_is_launched_if_that_has_the_file(target, host, monkeypatch):
    path = host / "shared/instance/deep/link"
    path.symlink_to(host / target)
    for _ in range(2):
        launch(host, monkeypatch, "v2")
        assert os.readlink(path) == str(host / TARGETS[target])


def test_it_goes_back_with_the_release(host, monkeypatch):
    path = host / "shared/instance/link"
    path.symlink_to(host / "releases/v1/static")
    launch(host, monkeypatch, "v2")
    launch(host, monkeypatch, "v1")
    assert os.readlink(path) == str(host / "releases/v1/static")


def test_relative_links_and_what_they_lead_to_are_left_alone(host, monkeypatch, tmp_path):
    path = host / "shared/instance/link"
    path.symlink_to("../../releases/v1/static")
    launch(host, monkeypatch, "v2")
    assert os.readlink(path) == "../../releases/v1/static"


def test_one_that_can_t_be_changed_is_said(host, monkeypatch, capsys):
    path = host / "shared/instance/link"
    path.symlink_to(host / "releases/v1/static")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    launch(host, monkeypatch, "v2")
    assert capsys.readouterr().out == "%s leads into another release, and can't be changed: Permission denied\n" % path


@pytest.mark.needs_root
def test_the_application_s_user_does_it_at_each_launch(host, tmp_path, runuser):
    (host / "shared/instance/link").symlink_to(host / "releases/v1/static")
    site = Site("blog", str(host), "")
    assert record.follow_links(site, str(host / "releases/v2")) == []  # the folder is root's
    os.chown(host / "shared/instance", 1, 1)
    assert record.follow_links(site, str(host / "releases/v2")) == [] and runuser() == {"blog"}
    assert os.readlink(host / "shared/instance/link") == str(host / "releases/v2/static")
