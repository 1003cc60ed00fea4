# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
import tempfile

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import mark_managed

CHECK = {"_ansible_check_mode": True}
SECRET = "not to be seen"
MIGRATION = '"""%s"""\nrevision = "%s"\ndown_revision = %r\n'


@pytest.fixture
def plan(run, root, remote):
    """Runs the module on the repository. Nothing under the root is another than before."""

    def plan(**arguments):
        before = state(root)
        result = run("flask_plan", **dict(dict(root=str(root), repo=remote.url), **arguments))
        assert state(root) == before
        return result

    return plan


def state(root):
    """Everything in a folder, with its times and contents."""
    paths = [root, *sorted(root.rglob("*"))]
    contents = [path.read_bytes() if path.is_file() else b"" for path in paths]
    return [(str(path), os.lstat(path)[:9], content) for path, content in zip(paths, contents)]


@pytest.fixture
def write(remote):
    """Commits files by their name and text, with a subject; a text of None removes one."""

    def write(subject="Change", **files):
        for name, text in files.items():
            path = remote.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        remote.git("add", "--all")
        remote.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return remote.git("rev-parse", "HEAD")

    return write


@pytest.fixture
def serve(root, remote):
    """A commit becomes the served release, as flask_release and flask_deployment make it."""

    def serve(commit, version="v1", subfolder="", **record):
        name = "%s-%s" % (version, commit[:8])
        release = root / "releases" / name
        shutil.copytree(remote.folder, release, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        (release / ".release.json").write_text(json.dumps({"version": version, "commit": commit}))
        (release / subfolder / ".env").symlink_to(root / "shared/.env")
        (root / "current").symlink_to(os.path.join("releases", name, subfolder).rstrip("/"))
        entries = [dict(release=name, outcome="served", **record), {"release": "v9-9", "outcome": "failed"}]
        (root / "releases.json").write_text(json.dumps(entries))
        return name

    return serve


def migration(name, parent, message=""):
    return {"migrations__versions__%s.py" % name: MIGRATION % (message, name, parent)}


class TestPlan:
    """The whole of it."""

    def test_reads_as_one(self, plan, write, serve, root):
        first = write(**{"requirements.txt": "Flask==3.0.2\nfoo==1\n"}, **migration("1f6d", None))
        serve(first, revision=["1f6d"])
        (root / "shared/.env").write_text(mark_managed("DATABASE_URL='%s'\nOLD=%s\n" % (SECRET, SECRET), ["OLD"]))
        write("Likes", **{"requirements.txt": "flask==3.0.3\nhumanize==4.9\n"})
        example = {".env.example": "DATABASE_URL=mysql://x\nexport MAIL_KEY=x\nEMPTY=\nFLASK_DEBUG=1\n"}
        last = write("Languages", **example, **migration("2b8e", "1f6d", "likes."))
        result = plan(version=last, values=["DATABASE_URL", "API_TOKEN"])
        assert result["text"].splitlines() == [
            "update of blog: v1 (%s) -> %s" % (first[:8], last[:8]),
            "2 commits:",
            "  %s Languages" % last[:8],
            "  %s Likes" % result["commits"][1]["commit"],
            "requirements: + humanize==4.9, - foo==1, ~ flask 3.0.2 -> 3.0.3",
            "database: 1 revision pending: 2b8e likes",
            ".env: + API_TOKEN, - OLD; missing: MAIL_KEY",
        ]
        assert result["diff"] == [{"prepared": result["text"]}]
        assert SECRET not in json.dumps(result)

    def test_has_the_versions_of_a_lock_each_on_a_line(self, plan, write, serve):
        project = "[project]\nname='x'\ndependencies=['flask']\n"
        pin = '[[package]]\nname="p%d"\nversion="%d"\nsource={registry="https://index.example.com/simple"}\n'
        serve(write(**{"pyproject.toml": project, "uv.lock": "".join(pin % (number, 1) for number in range(7))}))
        write(**{"uv.lock": "".join(pin % (number, 2) for number in range(7))})
        lines = plan()["text"].splitlines()
        place = lines.index("7 changed requirements:")
        assert lines[place + 1:place + 8] == ["  ~ p%d 1 -> 2" % number for number in range(7)]

    def test_is_readable_whatever_the_requirements_are_written_in(self, plan, write, serve, remote):
        serve(write(**{"requirements.txt": "flask==3.0.2\n"}))
        remote.folder.joinpath("requirements.txt").write_bytes("flask==3.0.3\r\n".encode("utf-16"))
        remote.commit_all()
        assert "requirements: ~ flask 3.0.2 -> 3.0.3" in plan()["text"].splitlines()

    def test_is_returned_in_parts(self, plan, write, serve):
        first = write()
        name = serve(first)
        last = write("Likes")
        result = plan(version="main")
        assert result["changed"]
        assert result["served"] == {"release": name, "version": "v1", "commit": first}
        assert (result["version"], result["commit"]) == ("main", last)
        assert result["commits"] == [{"commit": last[:8], "subject": "Likes"}]
        assert result["requirements"] == {"added": [], "removed": [], "changed": []}
        assert result["migrations"] == {"present": [], "assumed": False, "pending": [], "undone": []}
        assert result["env"] == {"added": [], "removed": [], "missing": []}

    def test_of_the_served_commit_changes_nothing(self, plan, write, serve):
        serve(write(), version="v1.0")
        result = plan()
        assert (result["changed"], result["direction"], result["commits"]) == (False, None, [])
        assert result["text"].splitlines() == [
            "blog stays at HEAD (%s)" % result["commit"][:8],
            "requirements: unchanged",
            "database: unchanged",
            ".env: unchanged",
        ]

    def test_where_nothing_is_served_has_everything_as_new(self, plan, write):
        commit = write(**{"requirements.txt": "flask\n"}, **migration("1f6d", None, "users"))
        result = plan(values=["SECRET_KEY"])
        assert (result["changed"], result["served"], result["direction"]) == (True, None, None)
        assert result["text"].splitlines() == [
            "first deployment of blog: HEAD (%s)" % commit[:8],
            "nothing is served yet: everything is new",
            "requirements: + flask",
            "database: 1 revision pending: 1f6d users",
            ".env: + SECRET_KEY",
        ]

    @pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
    def test_leaves_nothing_behind(self, mode, plan, write, serve, tmp_path, monkeypatch):
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        serve(write())
        write()
        assert plan(**mode)["changed"]
        assert plan(version="v7", **mode)["failed"]
        assert os.listdir(tmp_path / "temporary") == []

    def test_of_an_application_in_a_subfolder(self, plan, write, serve):
        first = write(**{"web/requirements.txt": "flask\n"})
        name = serve(first, subfolder="web")
        write(**{"web/requirements.txt": "-r ../base.txt\n", "base.txt": "flask\ngunicorn\n", ".env.example": "A=1\n"})
        result = plan(subfolder="web")
        assert (result["served"]["release"], result["served"]["commit"]) == (name, first)
        assert result["requirements"]["added"] == ["gunicorn"]
        assert result["env"]["missing"] == ["A"]


class TestCommits:
    """What lies between the served release and the version."""

    def test_lead_back_to_an_older_version(self, plan, write, serve):
        first = write()
        last = write("Likes")
        serve(last, version="v2")
        result = plan(version=first)
        assert (result["changed"], result["direction"], result["commits_total"]) == (True, "backward", 1)
        assert result["commits"] == [{"commit": last[:8], "subject": "Likes"}]
        lines = result["text"].splitlines()
        assert lines[:2] == ["way back of blog: v2 (%s) -> %s" % (last[:8], first[:8]), "1 commit would be undone:"]

    def test_lead_to_another_branch(self, plan, write, serve, remote):
        write()
        remote.git("branch", "feature")
        serve(write("Served"))
        remote.git("checkout", "--quiet", "feature")
        write("Feature")
        result = plan(version="feature")
        assert (result["direction"], [item["subject"] for item in result["commits"]]) == ("unrelated", ["Feature"])
        assert "1 commit that the served version lacks; it has others that this one lacks:" in result["text"]

    @pytest.mark.parametrize("commit", ["1" * 40, "", "--upload-pack=false"])
    def test_are_unknown_where_the_served_one_is_not_in_the_repository(self, commit, plan, write, serve):
        write()
        serve(commit)
        result = plan()
        assert (result["changed"], result["direction"], result["commits_total"]) == (True, "unrelated", 0)
        assert "unknown, because the repository does not have the served commit" in result["text"]

    def test_are_at_most_50(self, plan, write, serve):
        serve(write())
        for number in range(52):
            last = write("Change %d" % number)
        result = plan()
        assert (len(result["commits"]), result["commits_total"]) == (50, 52)
        assert result["commits"][0] == {"commit": last[:8], "subject": "Change 51"}
        assert "52 commits:" in result["text"] and "  and 2 more" in result["text"]

    def test_cannot_write_to_the_terminal(self, plan, write, serve):
        serve(write())
        write("Red \x1b[31m text")
        assert plan()["commits"][0]["subject"] == "Red  [31m text"

    def test_of_a_release_without_a_record(self, plan, write, root):
        write()
        (root / "current").symlink_to("releases/v0-12345678")
        result = plan()
        assert result["served"] == {"release": "v0-12345678", "version": "", "commit": ""}
        assert result["text"].startswith("update of blog: v0-12345678 -> HEAD")


class TestMigrations:
    """What would be done to the database."""

    def test_are_pending_from_the_revision_that_is_given(self, plan, write, serve):
        serve(write(**migration("a", None), **migration("b", "a")), revision=["b"])
        write(**migration("c", "b", "third"), **migration("d", "c"))
        result = plan(revision=["a"])["migrations"]
        assert (result["present"], result["assumed"]) == (["a"], False)
        assert [item["revision"] for item in result["pending"]] == ["b", "c", "d"]
        assert result["pending"][1] == {"revision": "c", "message": "third", "file": "migrations/versions/c.py"}

    @pytest.mark.parametrize("record, present, assumed, pending", [
        ({"revision": ["a"]}, ["a"], False, "bc"),
        ({"revision": "a"}, ["a"], False, "bc"),
        ({"revision": []}, [], False, "abc"),
        ({}, ["b"], True, "c"),
    ])
    def test_are_pending_from_the_recorded_revision(self, record, present, assumed, pending, plan, write, serve):
        serve(write(**migration("a", None), **migration("b", "a")), **record)
        write(**migration("c", "b"))
        result = plan()
        migrations = result["migrations"]
        assert (migrations["present"], migrations["assumed"]) == (present, assumed)
        assert "".join(item["revision"] for item in migrations["pending"]) == pending
        assert ("taken to be at b" in result["text"]) == assumed

    def test_of_a_newer_release_would_have_to_be_undone(self, plan, write, serve):
        first = write(**migration("a", None))
        serve(write(**migration("b", "a", "likes"), **migration("c", "b")), revision=["c"])
        result = plan(version=first)
        assert result["migrations"]["pending"] == []
        assert [item["revision"] for item in result["migrations"]["undone"]] == ["c", "b"]
        assert "database: the version does not know c, b likes: downgrade the database before" in result["text"]

    def test_that_cannot_be_read_are_warned_of(self, plan, write, warnings):
        write(**{"migrations/versions/x.py": "revision = = 1\n"})
        assert plan()["migrations"]["pending"] == []
        assert warnings[0].startswith("migrations/versions/x.py can't be read as Python")

    def test_may_be_in_another_folder(self, plan, write):
        write(**{"db/versions/a.py": MIGRATION % ("", "a", None)})
        assert [item["revision"] for item in plan(migrations="db")["migrations"]["pending"]] == ["a"]


class TestEnv:
    """Keys of .env, never their values."""

    def test_are_missing_where_they_are_required(self, plan, write, root):
        write(**{".env.example": "OTHER=1\n"})
        (root / "shared/.env").write_text("A=%s\nB=%s\n" % (SECRET, SECRET))
        result = plan(values=["B", "C"], required=["A", "C", "D"])
        assert result["env"] == {"added": ["C"], "removed": [], "missing": ["D"]}
        assert SECRET not in json.dumps(result)

    @pytest.mark.parametrize("how", ["-r .env", "-r ../../shared/.env", "-r %s", "link"])
    def test_are_not_shown_as_requirements(self, how, plan, write, serve, root, remote):
        secrets = root / "shared/.env"
        secrets.write_text("%s\n" % SECRET.replace(" ", "-"))
        if how == "link":
            remote.folder.joinpath("requirements.txt").symlink_to(secrets)
            serve(write())
        else:
            serve(write(**{"requirements.txt": how.replace("%s", str(secrets)) + "\n"}))
        write(**{"README": "new"})
        result = plan()
        assert result["requirements"] == {"added": [], "removed": [], "changed": []}
        assert SECRET.replace(" ", "-") not in json.dumps(result)


FAILURES = {
    "an unknown version": ({"version": "v7"}, "has no tag, branch or commit 'v7'"),
    "an unknown commit": ({"version": "1" * 40}, "has no commit " + "1" * 40),
    "no repository": ({"repo": "/nowhere"}, "The repository /nowhere can't be read"),
    "a subfolder outside": ({"subfolder": "../../.."}, "leads out of its folder"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_says_what_to_set(case, plan, write):
    arguments, text = FAILURES[case]
    write()
    result = plan(**arguments)
    assert result["failed"] and text in result["msg"]


@pytest.mark.parametrize("check, failed", [(True, False), (False, True)])
def test_a_host_without_git_needs_it_but_for_check_mode(check, failed, plan, without_git):
    result = plan(values=["A"], _ansible_check_mode=check)
    assert result.get("failed", False) == failed
    if failed:
        assert result["msg"] == "git is not installed. Install the package git."
    else:
        assert result["changed"] and result["text"].startswith("git is not installed yet")
