# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build.furnishing import furnish, is_furnished
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError


def params(root) -> dict:
    """The options of the module."""
    about = dict(root=str(root), entrypoint="blog:app", user=getpass.getuser())
    return dict(about, shared=[], static_folder="", static_url="/static")


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
        furnish(dict(params(root), **options), str(folder))
        return folder

    return release


class TestShared:
    """What outlives a release."""

    def test_folders_are_links_and_what_the_repository_has_there_is_set_aside(self, release, root):
        folder = release("blog/uploads/first", shared=["instance", "blog/uploads"])
        assert os.listdir(folder / ".brought/blog/uploads") == ["first"]
        assert oct((root / "shared/instance").stat().st_mode)[-3:] == "750"
        for name in ("instance", "blog/uploads"):
            assert (folder / name).is_symlink() and (folder / name).resolve() == root / "shared" / name

    def test_a_file_is_none(self, release):
        with pytest.raises(ReleaseError, match="app.db is a file in the repository, .* Set the folder"):
            release("app.db", shared=["app.db"])

    @pytest.mark.needs_root
    def test_root_makes_nothing_in_a_folder_of_the_users(self, release, root, tmp_path):
        release(shared=["data"], user="daemon")
        (root / "shared/data/inner").symlink_to(tmp_path)
        with pytest.raises(CommandError, match="Permission denied"):
            release(name="v2", shared=["data/inner/more"], user="daemon")
        assert not (tmp_path / "more").exists()

    def test_folders_replace_a_link_of_the_repository_and_copy_nothing_from_behind_it(self, release, root, tmp_path):
        (tmp_path / "private").mkdir()
        (tmp_path / "private/key").touch()
        folder = release(links=[("instance", tmp_path / "private")], shared=["instance"])
        assert os.listdir(root / "shared/instance") == []
        assert (folder / "instance").resolve() == root / "shared/instance"
        assert (tmp_path / "private/key").exists()

    def test_the_settings_replace_a_file_that_was_committed(self, release):
        assert os.readlink(release(".env") / ".env") == "../../shared/.env"


# how a release is furnished, and what is wanted of it later
SHAPES = {
    "the same": ({}, {}, True),
    "another shared path": ({"shared": ["instance"]}, {"shared": ["instance", "uploads"]}, False),
    "one less": ({"shared": ["instance", "uploads"]}, {"shared": ["instance"]}, False),
    "another static folder": ({}, {"static_folder": "assets"}, False),
    "another static URL": ({}, {"static_url": "/files"}, False),
    "no static files": ({}, {"static_folder": "nowhere"}, False),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_release_is_known_by_what_it_is_furnished_with(case, release, root):
    first, wanted, same = SHAPES[case]
    folder = release("static/a", "assets/a", **first)
    assert is_furnished(dict(params(root), **wanted), str(folder)) == same
    assert is_furnished(dict(params(root), **first), str(folder))


# files of the repository, options, and the folder that is served under static_url
STATIC = {
    "in the package": (["blog/static/a", "static/a"], {}, "blog/static"),
    "beside the module": (["static/a", "web/static/a"], {}, "static"),
    "in another package": (["web/static/a"], {}, "web/static"),
    "in an inner package": (["org/blog/static/a"], {"entrypoint": "org.blog.server:app"}, "org/blog/static"),
    "in an inner package of src": (["src/org/blog/static/a"], {"entrypoint": "org.blog.server:app"}, "src/org/blog/static"),
    "in a folder of another name": (["static/a", "assets/a"], {"static_folder": "assets"}, "assets"),
    "at another url": (["static/a"], {"static_url": "/files/public"}, "static"),
    "at the root": (["static/a"], {"static_url": "/"}, "static"),
    "beside what is shared": (["web/static/a", "uploads/static/b"], {"shared": ["uploads"]}, "web/static"),
    "nowhere": (["README"], {}, None),
    "not in the folder that was named": (["static/a"], {"static_folder": "assets"}, None),
}


@pytest.mark.parametrize("case", STATIC)
def test_static_files_are_found(case, release):
    files, options, wanted = STATIC[case]
    folder = release(*files, **options)
    public = folder / ".public" / options.get("static_url", "/static").strip("/")
    assert (public.resolve().relative_to(folder).as_posix() if public.exists() else None) == wanted


def test_static_files_may_be_what_is_shared(release, root):
    folder = release("static/a", shared=["static"])
    assert (folder / ".public/static").resolve() == root / "shared/static"
    assert is_furnished(dict(params(root), shared=["static"]), str(folder))


@pytest.mark.parametrize("case", STATIC)
def test_a_release_is_furnished_as_it_was(case, release, root):
    files, options, dummy = STATIC[case]
    options = dict({"shared": ["instance"]}, **options)
    folder = release(*files, "instance/static/a", **options)
    assert is_furnished(dict(params(root), **options), str(folder))
