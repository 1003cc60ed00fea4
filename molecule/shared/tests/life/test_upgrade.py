"""Debian 12 becomes Debian 13, by the commands of docs/server-life.md; the kernel is the container's, and stays."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from machine import STATE, TESTHOST, TOP, Application, wait_for
from playbook import Visitors, spoken
from project import DOMAIN, Project, blocks, count, done, findings, inline, lines_of
from test_name import Watch

DEBS = TOP / ".cache/debs/trixie"  # what apt has loaded before: it takes a file only if the hash is right
ARCHIVES = "/var/cache/apt/archives"
# What the page says of files that were changed: keep them. A terminal would be asked.
ANSWERS = """cat >/etc/apt/apt.conf.d/99answers <<'END'
APT::Get::Assume-Yes "true";
APT::Keep-Downloaded-Packages "true";
Dpkg::Options { "--force-confold"; };
END"""
OLD_PYTHON, NEW_PYTHON = "3.11", "3.13"
PYTHON = "/srv/blog/current/.venv/bin/python -c 'import sys; print(*sys.version_info[:2], sep=\".\")'"
REVISION = "2b8e4c75d0f2"  # of v2
QUIET = "journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet"  # what the upgrade itself had to say


def note(text: str) -> None:
    with open(STATE / "life.txt", "a") as file:
        file.write(text + "\n")


def pack(application: Application, program: str, **files: object) -> None:
    """Runs tar on the host, with its archive from or to a file here."""
    argv = [sys.executable, str(TESTHOST), "exec", application.name, "--", "sh", "-c", program]
    subprocess.run(argv, check=True, timeout=300, **files)


@pytest.fixture
def debs(site: Application) -> None:
    """The packages that an earlier run has loaded are on the host, and those of this one are kept for the next."""
    DEBS.mkdir(parents=True, exist_ok=True)
    archive = DEBS / "archives.tar"
    if archive.exists():
        with open(archive, "rb") as file:
            pack(site, f"tar -C {ARCHIVES} -xf -", stdin=file)
    yield
    with open(archive.with_suffix(".new"), "wb") as file:
        pack(site, f"cd {ARCHIVES} && tar -cf - *.deb", stdout=file)
    archive.with_suffix(".new").rename(archive)


@pytest.fixture(scope="session")
def site(project: Project) -> Application:
    return project.application("blog", DOMAIN)


@pytest.fixture(scope="session")
def python(site: Application):
    """Tells the Python that serves."""
    return lambda: done(site, PYTHON).strip()


def commands() -> tuple[list[str], list[str]]:
    """The page's for the server, without the reboot at their end, and those for one's own computer afterwards."""
    server, computer = (lines_of(block) for block in blocks("server-life.md", "Another distribution"))
    assert server.pop() == "reboot"
    return server, computer


@pytest.fixture(scope="session")
def backup(project: Project, site: Application) -> tuple[Path, int]:
    """The one that the page makes first, and how many posts are in it."""
    (line,) = inline("server-life.md", "Another distribution", "selfhost.flask.backup")
    rows = count(site)
    project.play(line)
    return max((project.folder / "backups").glob("blog-*.tar")), rows


def test_a_backup_comes_home_first(project: Project, site: Application, request: pytest.FixtureRequest) -> None:
    project.variables["flask_version"] = "v2"
    project.play("ansible-playbook selfhost.flask.update")
    assert site.visitor().get("/healthz").json()["version"] == "v2"
    file, rows = request.getfixturevalue("backup")
    assert rows and file.stat().st_size


@pytest.mark.usefixtures("debs")
def test_the_distribution_is_upgraded_and_the_site_answers(project: Project, site: Application, python) -> None:
    server, dummy = commands()
    done(site, ANSWERS)
    before, begin = count(site), time.monotonic()
    with Watch(site) as watch:
        said = done(site, "export DEBIAN_FRONTEND=noninteractive\nexec 2>&1\n" + "\n".join(server))
    note(f"apt: {time.monotonic() - begin:.0f} s; visitors: {watch.spans()}")
    assert done(site, ". /etc/os-release; echo $VERSION_ID") == "13\n", said
    assert count(site) == before
    site.reboot()
    wait_for(site.answers, "an answer after the reboot", seconds=120)
    assert count(site) == before
    assert python() == OLD_PYTHON


def test_site_yml_moves_the_visitors_to_the_new_python(project: Project, site: Application, python) -> None:
    before, begin = count(site), time.monotonic()
    dummy, computer = commands()
    with Visitors(site) as visitors:
        for line in computer:
            project.play(line)
    note(f"site.yml: {time.monotonic() - begin:.0f} s; {len(visitors.problems)} of {len(visitors.answers)} requests failed")
    assert visitors.problems == [] and len(visitors.seen("slot")) == 2
    assert python() == NEW_PYTHON and count(site) == before
    assert site.visitor().get("/").ok and site.visitor().get("/static/style.css").ok
    assert done(site, "flask-blog db current 2>/dev/null; flask-blog db heads 2>/dev/null").split() == [REVISION, "(head)"] * 2


def test_another_run_changes_nothing(project: Project) -> None:
    assert "changed=0 " in project.site()


def test_what_nobody_needs_any_more_is_removed_and_the_host_is_well(project: Project, site: Application) -> None:
    assert site.inside("python3.11 -c ''").returncode == 0
    done(site, "DEBIAN_FRONTEND=noninteractive apt-get autoremove")
    assert site.inside("python3.11 -c ''").returncode == 127
    site.reboot()
    wait_for(site.answers, "an answer after the reboot", seconds=120)
    done(site, QUIET)
    assert findings(project) == []
    assert done(site, "systemctl list-units --state failed --plain --no-legend") == ""


def test_a_rollback_to_what_needs_the_old_python_is_refused(project: Project, site: Application) -> None:
    answer = project.type("ansible-playbook selfhost.flask.rollback -e flask_rollback_database=downgrade")
    assert answer.returncode == 2 and "Python" in spoken(answer), spoken(answer)
    assert site.visitor().get("/healthz").json()["version"] == "v2"


def test_updates_and_rollbacks_are_noticed_by_nobody_as_before(project: Project, site: Application) -> None:
    with Visitors(site) as visitors:
        project.play("ansible-playbook selfhost.flask.update -e flask_version=v6")
        project.play("ansible-playbook selfhost.flask.rollback -e flask_rollback_database=downgrade")
    assert visitors.problems == [] and visitors.seen("version") == ["v2", "v6"]
    assert site.visitor().get("/healthz").json()["version"] == "v2"


def test_a_backup_from_before_comes_back(project: Project, site: Application, backup: tuple[Path, int]) -> None:
    file, rows = backup
    assert site.visitor().post("/posts", data={"body": "after the upgrade"}).status_code == 201
    project.play(f"ansible-playbook selfhost.flask.restore -e flask_backup_source={file}")
    assert count(site) == rows
    assert site.visitor().post("/posts", data={"body": "after the restoration"}).status_code == 201
