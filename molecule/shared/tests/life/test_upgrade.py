"""Debian 12 becomes Debian 13, by the commands of docs/server-life.md; the kernel is the container's, and stays."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from machine import STATE, TESTHOST, TOP, Application, wait_for
from playbook import Visitors, spoken
from project import DOMAIN, Project, blocks, count, done, findings, lines_of
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
# What the upgrade itself had to say, and visitors who came while the servers started.
QUIET = """journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet
for log in /var/log/blog/*.log /var/log/nginx/blog.error.log; do : >$log; done"""


def note(text: str) -> None:
    with open(STATE / "life.txt", "a") as file:
        file.write(text + "\n")


def pack(application: Application, program: str, **files: object) -> None:
    """Runs tar on the host, with its archive from or to a file here."""
    argv = [sys.executable, str(TESTHOST), "exec", application.name, "--", "sh", "-c", program]
    subprocess.run(argv, check=True, timeout=300, **files)


@pytest.fixture
def debs(site: Application) -> Iterator[None]:
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


def python_of(site: Application) -> str:
    """The one that the served version runs with."""
    return done(site, PYTHON).strip()


def commands() -> tuple[list[str], list[str], list[str]]:
    """The page's: from one's own computer, on the server without the reboot at the end, and from the computer again."""
    before, server, after = (lines_of(block) for block in blocks("server-life.md", "Another distribution"))
    assert server.pop() == "reboot"
    return before, server, after


def statuses(watch: Watch) -> list[int]:
    """The application's own answers to visitors, without those of seconds in which it or the host was starting.

    While a container is down, its address may lead elsewhere, so that others answer.
    """
    found = [status for status, dummy in watch.spans() if status in (200, 500, 503)]
    return [status for number, status in enumerate(found) if found[number - 1 : number] != [status]]


def revision(site: Application) -> str:
    """The database's, as the served version says it."""
    return done(site, "flask-blog db current 2>/dev/null").split()[0]


class Before(NamedTuple):
    """What there was when the site was closed."""

    backup: Path
    posts: int


@pytest.fixture(scope="session")
def watch(site: Application) -> Iterator[Watch]:
    """A visitor who comes from before the upgrade until it is over."""
    with Watch(site) as watch:
        yield watch


@pytest.fixture(scope="session")
def before(project: Project, site: Application, watch: Watch) -> Before:
    """The site is closed, and a backup comes home."""
    project.variables["flask_version"] = "v2"
    project.play("ansible-playbook selfhost.flask.update")
    posts = count(site)
    for line in commands()[0]:
        project.play(line)
    return Before(max((project.folder / "backups").glob("blog-*.tar")), posts)


def test_the_site_is_closed_and_a_backup_comes_home(site: Application, before: Before) -> None:
    assert site.visitor().get("/").status_code == 503
    assert before.posts and before.backup.stat().st_size and python_of(site) == OLD_PYTHON


@pytest.mark.usefixtures("before", "debs")
def test_the_distribution_is_upgraded_and_the_application_runs_with_its_old_python(site: Application) -> None:
    begin = time.monotonic()
    done(site, ANSWERS)
    said = done(site, "export DEBIAN_FRONTEND=noninteractive\nexec 2>&1\n" + "\n".join(commands()[1]))
    note(f"apt: {time.monotonic() - begin:.0f} s")
    assert done(site, ". /etc/os-release; echo $VERSION_ID") == "13\n", said
    site.reboot()
    wait_for(lambda: site.visitor().get("/").status_code == 503, "the page of a closed site after the reboot")
    assert (python_of(site), revision(site)) == (OLD_PYTHON, REVISION)


def test_site_yml_moves_the_application_to_the_new_python(project: Project, site: Application, before: Before, watch: Watch) -> None:
    begin = time.monotonic()
    for line in commands()[2]:
        project.play(line)
    note(f"site.yml, and opened: {time.monotonic() - begin:.0f} s; visitors: {watch.spans()}")
    assert (python_of(site), revision(site), count(site)) == (NEW_PYTHON, REVISION, before.posts)
    wait_for(lambda: watch.seen[-1][1] == 200, "a page for the visitor")
    watch.leave()
    assert statuses(watch) == [200, 503, 200]
    assert site.visitor().get("/").ok and site.visitor().get("/static/style.css").ok


def test_the_database_server_has_brought_its_own_tables_up_to_date(site: Application) -> None:
    version = done(site, "mariadb -Ne 'SELECT @@version'").split("-")[0]
    wait_for(lambda: site.inside(f"grep -q '^{version}-' /var/lib/mysql/mariadb_upgrade_info").returncode == 0, "mariadb-upgrade")


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
    assert answer.returncode == 2 and re.search(r"The Python of [^.]*v2-\S+ has gone from this host", spoken(answer)), spoken(answer)
    assert site.visitor().get("/healthz").json()["version"] == "v2"


def test_updates_and_rollbacks_are_noticed_by_nobody_as_before(project: Project, site: Application) -> None:
    with Visitors(site) as visitors:
        project.play("ansible-playbook selfhost.flask.update -e flask_version=v6")
        project.play("ansible-playbook selfhost.flask.rollback -e flask_rollback_database=downgrade")
    assert visitors.problems == [] and visitors.seen("version") == ["v2", "v6"]
    assert site.visitor().get("/healthz").json()["version"] == "v2"


def test_a_backup_from_before_comes_back(project: Project, site: Application, before: Before) -> None:
    assert site.visitor().post("/posts", data={"body": "after the upgrade"}).status_code == 201
    project.play(f"ansible-playbook selfhost.flask.restore -e flask_backup_source={before.backup}")
    assert count(site) == before.posts
    assert site.visitor().post("/posts", data={"body": "after the restoration"}).status_code == 201
