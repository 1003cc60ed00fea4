# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
import json
import os
import pwd
import shutil

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import ENVIRONMENT
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import seal
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site
from ansible_collections.selfhost.flask.plugins.module_utils.build import installation

CHECK = {"_ansible_check_mode": True}
OLD_COMMIT = "1" * 40


@pytest.fixture
def remote(remote):
    """A repository that says what the application needs."""
    (remote.folder / "requirements.txt").write_text("flask\n")
    return remote


@pytest.fixture
def release(run, root, remote):
    """Runs the module on the repository."""

    def release(**arguments):
        options = dict(root=str(root), repo=remote.url, entrypoint="blog:app", user=getpass.getuser())
        return run("flask_release", **dict(options, **arguments))

    return release


@pytest.fixture
def launch(run, root, monkeypatch):
    """What flask_venv and flask_deployment make of a release, also as they did when they noted nothing."""

    def install(installation):
        for name in ("bin/python", "lib/flask/__init__.py"):
            path = os.path.join(installation.path, name)
            os.makedirs(os.path.dirname(path))
            open(path, "w", encoding="ascii").close()

    monkeypatch.setattr(installation.Installation, "make", install)
    for name in ("venvs", "slots"):
        (root / name).mkdir()

    def launch(result, noted=True, **options):
        about = dict(root=str(root), release=result["path"], user=getpass.getuser(), cache="/nowhere")
        made = run("flask_venv", **about, commits=result["commits"], **options)
        seal(Site("blog", str(root), ""), result["path"], commit=result["commit"])
        if not noted:
            open(made["path"] + "/.complete", "w", encoding="ascii").close()
            write(result["path"] + "/.release.json", json.dumps({"commit": result["commit"]}))
        return result

    return launch


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_a_version_becomes_a_release(release, remote, root):
    commit = remote.commit("README", blog="app = 1\n")
    remote.git("tag", "v1.0")
    result = release(version="v1.0")
    assert result["changed"] and result["built"]
    assert (result["version"], result["commit"]) == ("v1.0", commit)
    assert result["id"] == "v1.0-" + commit[:8]
    assert result["path"] == str(root / "releases" / result["id"])
    assert result["diff"] == {"before": "release: \n", "after": "release: %s\n" % result["id"]}
    assert sorted(os.listdir(result["path"])) == [".env", "README", "blog.py", "requirements.txt"]
    assert os.listdir(root / "releases") == [result["id"]]


def test_the_diff_names_the_current_release(release, remote, root):
    remote.commit(blog="app = 1\n")
    (root / "current").symlink_to("releases/v0.9-12345678")
    assert release()["diff"]["before"] == "release: v0.9-12345678\n"


@pytest.mark.parametrize("requirements, options, said", [
    ("flask\n", {}, "src/shop/web.py is where Python finds it only if the project is installed, and requirements.txt does"),
    ("-e .\n", {}, ""),
    ("flask\n", {"requirements": "pyproject.toml"}, ""),
])
def test_code_that_nothing_installs_is_said(requirements, options, said, release, remote, warnings):
    (remote.folder / "src/shop").mkdir(parents=True)
    files = {"src/shop/web.py": "app = 1\n", "requirements.txt": requirements, "pyproject.toml": "[project]\nname = 'shop'\ndependencies = []\n"}
    for name, text in files.items():
        (remote.folder / name).write_text(text)
    remote.commit_all()
    release(entrypoint="shop.web:app", **options)
    assert [text for text in warnings if said in text] == warnings and len(warnings) == bool(said)


@pytest.mark.parametrize("digits", [40, 20, 10])
def test_a_release_that_was_launched_is_not_built_again(digits, release, remote, launch):
    commit = remote.commit(blog="app = 1\n")
    version = commit[:digits]
    first = launch(release(version=version))
    for mode in ({}, CHECK):
        result = release(version=version, **mode)
        assert (result["changed"], result["path"], result["commit"]) == (False, first["path"], commit)
    assert os.path.exists(os.path.join(first["path"], ".release.json"))


# what is set otherwise after a release was launched
SETTINGS = {
    "a shared path": {"shared": ["instance", "uploads"]},
    "one shared path less": {"shared": []},
    "the static folder": {"static_folder": "assets"},
    "the static URL": {"static_url": "/files"},
    "the subfolder": {"subfolder": "web"},
    "the requirements' file": {"requirements": "more.txt"},
    "an extra package": {"extra": ["gunicorn"]},
    "the index": {"index_url": "https://index.example.com/simple"},
    "another index": {"extra_index_urls": ["https://index.example.com/simple"]},
    "which index comes first": {"index_strategy": "unsafe-best-match"},
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_launched_release_with_other_settings_is_another_one(case, release, remote, launch):
    remote.commit("static/a", "assets/a", "web/static/a", "more.txt", "web/requirements.txt", "web/blog.py",
                  blog="app = 1\n", **{"web/blog": "app = 1\n"})
    shared = {"shared": ["instance"]}
    first = launch(release(**shared))
    for mode in (CHECK, {}):
        result = release(**{**shared, **SETTINGS[case], **mode})
        assert (result["changed"], result["id"]) == (True, first["id"] + "-2")
    launch(result, **{name: value for name, value in SETTINGS[case].items() if name in ENVIRONMENT})
    assert not release(**{**shared, **SETTINGS[case]})["changed"]
    assert (release(**shared)["changed"], release(**shared)["id"]) == (False, first["id"])


def test_the_password_of_an_index_is_no_other_setting(release, remote, launch):
    remote.commit(blog="app = 1\n")
    url = {"index_url": "https://ana:s3cret@index.example.com/simple"}
    launch(release(**url), **url)
    assert not release(index_url="https://ana:other@index.example.com/simple")["changed"]


def test_a_release_whose_launch_failed_is_built_with_the_mended_settings(release, remote, root, launch):
    remote.commit(blog="app = 1\n")
    first = launch(release())
    mended = release(shared=["uploads"])
    assert (mended["id"], os.path.isdir(first["path"])) == (first["id"] + "-2", True)
    assert os.path.realpath(mended["path"] + "/uploads") == str(root / "shared/uploads")


def damage(name):
    return lambda path: os.unlink(os.path.join(path, name))


# what somebody did to a launched release or its environment
DAMAGE = {
    "a file": (damage("blog.py"), "a file in it differs"),
    "a changed file": (lambda path: write(path + "/blog.py", "mine = 1\n"), "a file in it differs"),
    "a link": (damage("instance"), "a file in it differs"),
    "a package": (lambda path: shutil.rmtree(path + "/.venv/lib/flask"), "a file in its environment differs"),
    "everything": (lambda path: shutil.rmtree(os.path.realpath(path + "/.venv")), "its environment is not complete"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_launched_release_that_was_damaged_is_built_anew_beside_it(case, release, remote, root, launch, warnings):
    happens, said = DAMAGE[case]
    remote.commit(blog="app = 1\n")
    first = launch(release(shared=["instance"]))
    (root / "slots/blue").symlink_to(first["path"])
    happens(first["path"])
    for mode in (CHECK, {}):
        result = release(shared=["instance"], **mode)
        assert (result["changed"], result["id"]) == (True, first["id"] + "-2")
        assert said in warnings[-1] and warnings[-1].endswith("built again, as %s." % result["id"])
    assert os.path.isdir(first["path"])


def test_what_an_earlier_version_of_the_collection_launched_is_taken_as_it_is(release, remote, launch):
    remote.commit("static/a", blog="app = 1\n")
    first = launch(release(shared=["instance"], index_url="https://a/"), noted=False)
    for mode in (CHECK, {}, {}):
        assert not release(shared=["instance"], index_url="https://a/", **mode)["changed"]
    assert json.loads(read(first["path"] + "/.release.json"))["commit"] == first["commit"]
    assert release(shared=["instance"], index_url="https://b/")["changed"]
    os.unlink(first["path"] + "/static/a")
    assert release(shared=["instance"], index_url="https://a/")["changed"]


def test_the_live_release_is_not_built_over_where_its_seal_was_removed(release, remote, root, launch):
    remote.commit(blog="app = 1\n")
    first = launch(release())
    (root / "slots/green").symlink_to(first["path"])
    os.unlink(first["path"] + "/.release.json")
    assert release()["id"] == first["id"] + "-2"
    assert os.path.exists(first["path"] + "/blog.py")


def test_a_branch_in_the_requirements_that_has_moved_is_another_release(release, remote, another_remote, launch):
    library = another_remote.commit("setup.py")
    url = "file://" + another_remote.url
    remote.folder.joinpath("requirements.txt").write_text("flask\n-e git+%s@main#egg=lib\n" % url)
    remote.commit(blog="app = 1\n")
    first = launch(release())
    assert first["commits"] == {url + "@main": library}
    assert not release()["changed"]
    library = another_remote.commit("README")
    result = release()
    assert (result["id"], result["commits"]) == (first["id"] + "-2", {url + "@main": library})


def test_a_pinned_repository_in_the_requirements_is_not_asked(release, remote):
    remote.folder.joinpath("requirements.txt").write_text("lib @ git+https://nowhere.invalid/lib@%s\n" % OLD_COMMIT)
    remote.commit(blog="app = 1\n")
    assert release()["commits"] == {}


UNUSABLE = {
    "nothing": ({}, "The application has no requirements.txt and no pyproject.toml. Add requirements.txt"),
    "others": (
        {"requirements/dev.txt": b"", "requirements/test.txt": b""},
        "but has requirements/dev.txt, requirements/test.txt. Add",
    ),
    "conda": ({"environment.yml": b"name: x\n"}, "environment.yml is a file of conda, which this host does not have."),
    "a lost file": ({"requirements.txt": b"-r base.txt\n"}, "requirements.txt includes base.txt, which the repository does not"),
    "another tool": ({"requirements.txt": b"-e svn+https://x/y#egg=y\n"}, "asks for svn+https://x/y"),
    "a folder of conda's": (
        {"requirements.txt": b"certifi @ file:///croot/certifi_1/work/certifi\n"},
        "Write the version instead, such as certifi==1.0;",
    ),
    "a token": ({"requirements.txt": b"x @ git+https://${TOKEN}@h/x\n"}, "app_requirements_env has no TOKEN. Set it there."),
    "a broken project": ({"pyproject.toml": b"[project\n"}, "pyproject.toml can't be read: "),
    "a lock alone": ({"requirements/a.txt": b"", "requirements/b.txt": b"", "uv.lock": b""}, "has no requirements.txt and no"),
    "an old lock": (
        {"pyproject.toml": b"[project]\nname='x'\ndependencies=['flask']\n", "pdm.lock": b"[[package]]\nname='idna'\nversion='1'\n"},
        "pdm.lock has no flask, for which pyproject.toml asks: it is older. Update the lock, such as by `pdm lock`",
    ),
    "no text": ({"requirements.txt": b"flask\0"}, "requirements.txt is no text, so nothing can be installed from it."),
}


@pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
@pytest.mark.parametrize("case", UNUSABLE)
def test_requirements_that_cannot_be_used_are_refused_before_anything_is_touched(case, mode, release, remote, root):
    files, text = UNUSABLE[case]
    remote.folder.joinpath("requirements.txt").unlink()
    for name, content in files.items():
        remote.folder.joinpath(name).parent.mkdir(exist_ok=True)
        remote.folder.joinpath(name).write_bytes(content)
    remote.commit(blog="app = 1\n")
    assert text in release(**mode)["msg"]
    assert os.listdir(root / "releases") == []


@pytest.mark.parametrize("choice", ["extras", "groups"])
def test_an_extra_or_group_that_is_not_there_is_refused(choice, release, remote):
    remote.folder.joinpath("requirements.txt").unlink()
    project = "[project]\nname='x'\ndependencies=[]\n[project.optional-dependencies]\npg=[]\n[dependency-groups]\nprod=[]\n"
    remote.folder.joinpath("pyproject.toml").write_text(project)
    remote.commit(blog="app = 1\n")
    about = dict(noun=choice[:-1], known=dict(extras="pg", groups="prod")[choice])
    assert ("app_requirements_%s has nope, and pyproject.toml has no such %s. Set it to some of: %s."
            % (choice, about["noun"], about["known"])) in release(**{choice: ["nope"]})["msg"]


def test_content_of_the_repository_at_a_shared_path_is_brought(release, remote, root, runuser):
    for name in ("instance", "data/uploads"):  # the first level is there before the first release
        (root / "shared" / name.split("/")[0]).mkdir()
    os.rmdir(root / "shared/data")
    (root / "deployment").mkdir()
    remote.commit("data/uploads/default.txt", blog="app = 1\n", **{"instance/config": "VERSION = 1"})
    release(shared=["instance", "data/uploads"])
    assert (root / "shared/instance/config.py").read_text() == "VERSION = 1"
    assert os.listdir(root / "shared/data/uploads") == ["default.txt"]
    remote.commit("data/uploads/more.txt")
    release(shared=["instance", "data/uploads"])
    assert sorted(os.listdir(root / "shared/data/uploads")) == ["default.txt", "more.txt"]


def test_a_release_that_was_not_launched_is_built_again(release, remote):
    remote.commit(blog="app = 1\n")
    first = release()
    with open(os.path.join(first["path"], "left over"), "w", encoding="ascii"):
        pass
    assert release()["changed"]
    assert "left over" not in os.listdir(first["path"])


def test_check_mode_makes_nothing(release, remote, root):
    commit = remote.commit(blog="app = 1\n")
    result = release(user=None, **CHECK)
    assert (result["changed"], result["built"], result["id"]) == (True, False, "HEAD-" + commit[:8])
    assert os.listdir(root / "releases") == os.listdir(root / "shared") == []


# the version as it is asked for, and the release's name, in which # stands for the commit
IDS = {"feature/x": "feature-x-#", "HEAD": "HEAD-#", "v1.0": "v1.0-#", "latest_tag": "v1.0-#"}


@pytest.mark.parametrize("version", IDS)
def test_a_release_is_named_after_its_version_and_commit(version, release, remote):
    commit = remote.commit(blog="app = 1\n")
    remote.git("branch", "feature/x")
    remote.git("tag", "v1.0")
    assert release(version=version)["id"] == IDS[version].replace("#", commit[:8])


def test_a_release_of_a_commit_is_named_after_it(release, remote):
    commit = remote.commit(blog="app = 1\n")
    assert [release(version=commit[:digits])["id"] for digits in (7, 40)] == [commit[:12]] * 2


def test_the_application_may_be_in_a_subfolder(release, remote, root):
    remote.commit("web/migrations/env.py", "web/requirements.txt", **{"web/blog": "app = 1\n"})
    result = release(subfolder="web", shared=["instance"])
    assert result["path"] == str(root / "releases" / result["id"] / "web")
    assert result["migrations"]
    assert os.readlink(os.path.join(result["path"], ".env")) == "../../../shared/.env"
    assert os.path.realpath(os.path.join(result["path"], "instance")) == str(root / "shared/instance")


@pytest.mark.parametrize("files, found", [
    ([], (False, False)),
    (["migrations/env.py"], (True, False)),
    (["blog/translations/es/LC_MESSAGES/messages.po"], (False, True)),
])
def test_says_what_the_next_steps_have_a_use_for(files, found, release, remote):
    remote.commit(*files, blog="app = 1\n")
    result = release()
    assert (result["migrations"], result["translations"]) == found


@pytest.mark.parametrize("name", ["data/private", "../../shared", "/etc"])
def test_what_is_shared_cannot_lead_out_of_the_release(name, release, remote, tmp_path):
    (tmp_path / "behind/private").mkdir(parents=True)
    remote.folder.joinpath("data").symlink_to(tmp_path / "behind")
    remote.commit(blog="app = 1\n")
    result = release(shared=[name])
    assert result["msg"].startswith("%s leads out of its folder" % name)
    assert (tmp_path / "behind/private").is_dir() and not (tmp_path / "behind/private").is_symlink()


def test_static_files_are_public(release, remote):
    remote.commit("static/a", blog="app = 1\n")
    assert os.listdir(os.path.join(release(static_url="/files")["path"], ".public/files")) == ["a"]


def test_the_entrypoint_may_be_written_later(release, remote):
    remote.commit(blog="app = 1\n")
    assert release(entrypoint="wsgi:app", written=["wsgi.py"], **CHECK)["commit"]


FAILURES = {
    "an unknown version": ({"version": "v7"}, "has no tag, branch or commit 'v7'"),
    "an unknown commit": ({"version": OLD_COMMIT}, "has no commit " + OLD_COMMIT),
    "no repository": ({"repo": "/nowhere"}, "The repository /nowhere can't be read"),
    "an unknown module": ({"entrypoint": "web:app"}, "neither web.py nor web/__init__.py"),
    "an unknown name": ({"entrypoint": "blog:application"}, "defines no 'application'; it defines app"),
    "an unknown subfolder": ({"subfolder": "web"}, "neither blog.py nor blog/__init__.py"),
    "a subfolder outside": ({"subfolder": "../../.."}, "leads out of its folder"),
}


@pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
@pytest.mark.parametrize("case", FAILURES)
def test_says_what_to_set_and_leaves_nothing_behind(case, mode, release, remote, root):
    arguments, text = FAILURES[case]
    remote.commit(blog="app = 1\n")
    result = release(**dict(arguments, **mode))
    assert result["failed"] and text in result["msg"]
    assert os.listdir(root / "releases") == []


@pytest.mark.parametrize("check, failed", [(True, False), (False, True)])
def test_a_host_without_git_needs_it_but_for_check_mode(check, failed, release, without_git):
    result = release(_ansible_check_mode=check)
    assert result.get("failed", False) == failed
    assert result["msg" if failed else "changed"] == ("git is not installed. Install the package git." if failed else True)


@pytest.mark.needs_root
def test_a_release_belongs_to_the_user_who_builds_it(release, remote, root):
    remote.commit(blog="app = 1\n")
    path = release(user="daemon", shared=["instance"])["path"]
    given = [path, *(os.path.join(path, name) for name in os.listdir(path)), root / "shared/instance"]
    assert {os.lstat(name).st_uid for name in given} == {pwd.getpwnam("daemon").pw_uid}
    assert (root / "shared").stat().st_uid == 0
