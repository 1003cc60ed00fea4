# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
import os

import pytest

from ansible_collections.selfhost.flask.plugins.module_utils._furnishing import furnish


@pytest.fixture
def release(root):
    """Furnishes a release that has these files; its folder."""

    def release(*files, name="v1", links=(), **options):
        folder = root / "releases" / name
        folder.mkdir()
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
        for link, target in links:
            (folder / link).symlink_to(target)
        params = dict(root=str(root), entrypoint="blog:app", user=getpass.getuser(), shared=[], static_folder="",
                      static_url="/static")
        furnish(dict(params, **options), str(folder))
        return folder

    return release


class TestShared:
    """What outlives a release."""

    def test_folders_are_kept_with_what_the_repository_has_there(self, release, root):
        folder = release("blog/uploads/first", shared=["instance", "blog/uploads"])
        assert os.listdir(root / "shared/blog/uploads") == ["first"]
        assert oct((root / "shared/instance").stat().st_mode)[-3:] == "750"
        for name in ("instance", "blog/uploads"):
            assert (folder / name).is_symlink() and (folder / name).resolve() == root / "shared" / name

    def test_folders_are_not_filled_a_second_time(self, release, root):
        release("uploads/first", shared=["uploads"])
        (root / "shared/uploads/first").unlink()
        release("uploads/first", name="v2", shared=["uploads"])
        assert os.listdir(root / "shared/uploads") == []

    def test_folders_replace_a_link_of_the_repository_and_copy_nothing_from_behind_it(self, release, root, tmp_path):
        (tmp_path / "private").mkdir()
        (tmp_path / "private/key").touch()
        folder = release(links=[("instance", tmp_path / "private")], shared=["instance"])
        assert os.listdir(root / "shared/instance") == []
        assert (folder / "instance").resolve() == root / "shared/instance"
        assert (tmp_path / "private/key").exists()

    def test_the_settings_replace_a_file_that_was_committed(self, release):
        assert os.readlink(release(".env") / ".env") == "../../shared/.env"


# files of the repository, options, and the folder that is served under static_url
STATIC = {
    "in the package": (["blog/static/a", "static/a"], {}, "blog/static"),
    "beside the module": (["static/a", "web/static/a"], {}, "static"),
    "in another package": (["web/static/a"], {}, "web/static"),
    "in a folder of another name": (["static/a", "assets/a"], {"static_folder": "assets"}, "assets"),
    "at another url": (["static/a"], {"static_url": "/files/public"}, "static"),
    "at the root": (["static/a"], {"static_url": "/"}, "static"),
    "nowhere": (["README"], {}, None),
    "not in the folder that was named": (["static/a"], {"static_folder": "assets"}, None),
}


@pytest.mark.parametrize("case", STATIC)
def test_static_files_are_found(case, release):
    files, options, wanted = STATIC[case]
    folder = release(*files, **options)
    public = folder / ".public" / options.get("static_url", "/static").strip("/")
    assert (public.resolve().relative_to(folder).as_posix() if public.exists() else None) == wanted
