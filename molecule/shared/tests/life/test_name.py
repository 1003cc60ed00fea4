"""Another name for the application, by the commands of docs/remove.md: all that it had comes along."""

from __future__ import annotations

import re
import tarfile
import threading
import time
from types import TracebackType

import pytest
import requests
import yaml
from machine import STATE, Application, Visitor
from project import DOMAIN, FIRST, Project, blocks, count, done, fill_in, lines_of
from remains import remains_of

PICTURE = bytes.fromhex("89504e470d0a1a0a") + b"a picture"
OLD_DOMAIN, MEANWHILE = "old.example.com", "new.example.com"


class Watch(threading.Thread):
    """One visitor who asks for a name ten times a second: each status, when it was first and last answered."""

    def __init__(self, application: Application) -> None:
        super().__init__(daemon=True)
        self.application, self.left = application, threading.Event()
        self.seen: list[tuple[float, int]] = []

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.leave()

    def leave(self) -> None:
        self.left.set()
        self.join(timeout=30)

    def run(self) -> None:
        while not self.left.wait(0.1):
            try:
                with self.application.visitor() as newcomer:
                    status = newcomer.get("/posts/count").status_code
            except requests.RequestException:
                status = 0
            self.seen.append((time.monotonic(), status))

    def spans(self) -> list[tuple[int, float]]:
        """What was answered, one after the other, and for how many seconds."""
        found: list[list] = []
        for moment, status in self.seen:
            if not found or found[-1][0] != status:
                found.append([status, moment, moment])
            found[-1][2] = moment
        return [(status, round(end - begin, 1)) for status, begin, end in found]


@pytest.fixture(scope="module")
def member(project: Project) -> Visitor:
    """Somebody who has signed in, and posted a picture."""
    visitor = project.application("microblog", DOMAIN).visitor()
    fill_in(visitor, "/register", name="ana", email="ana@example.com", password="pelican4711")
    fill_in(visitor, "/login", name="ana", password="pelican4711")
    fill_in(visitor, "/", files={"image": ("cat.png", PICTURE)}, body="with a picture")
    return visitor


def picture(visitor: Visitor) -> bytes:
    return visitor.get(re.search(r'"(/uploads/[^"]+)"', visitor.get("/").text)[1]).content


def is_signed_in(visitor: Visitor) -> bool:
    return "<span>ana</span>" in visitor.get("/").text


def step(number: int) -> list[str]:
    """The commands of a step of the page."""
    return lines_of(blocks("remove.md", "Rename")[number - 1])


def test_the_new_one_is_deployed_beside_the_old_one(project: Project, member: Visitor) -> None:
    assert is_signed_in(member) and picture(member) == PICTURE
    (inventory,) = blocks("remove.md", "Rename", "yaml")
    project.hosts = yaml.safe_load(inventory)["all"]["hosts"]
    assert project.hosts["old"] == {"flask_app": "microblog", "flask_domain": DOMAIN}
    for line in step(1):
        project.play(line)
    assert count(project.application("blog", MEANWHILE)) == 0
    assert project.application("microblog", DOMAIN).answers()


def test_visitors_find_at_the_new_one_what_they_had_at_the_old_one(project: Project, member: Visitor) -> None:
    site = project.application("blog", DOMAIN)
    before = count(site)
    with Watch(site) as watch:
        for line in step(2):
            project.play(line)
        assert count(project.application("blog", MEANWHILE)) == before
        new = {key: value for key, value in project.hosts["new"].items() if key != "flask_tls"}
        project.hosts["new"] = {**new, "flask_domain": DOMAIN, "flask_aliases": [FIRST]}
        project.hosts["old"] |= {"flask_domain": OLD_DOMAIN, "flask_tls": "self_signed"}
        for line in step(3):
            project.play(line)
    with open(STATE / "life.txt", "a") as file:
        file.write(f"Another name: {watch.spans()}\n")
    assert [status for status, dummy in watch.spans()] == [200, 503, 421, 200], watch.spans()
    assert count(site) == before and is_signed_in(member) and picture(member) == PICTURE
    assert site.visitor().post("/posts", data={"body": "to the new one"}).status_code == 201
    assert done(site, "mysql -Ne 'SELECT COUNT(*) FROM blog.posts'") == f"{before + 1}\n"
    assert project.application("microblog", OLD_DOMAIN).visitor().get("/posts/count").status_code == 503


def test_whoever_asks_for_the_first_name_is_redirected(project: Project) -> None:
    answer = project.application("blog", FIRST).visitor().get("/posts/count", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{DOMAIN}/posts/count")


def test_the_old_one_is_removed(project: Project) -> None:
    site = project.application("blog", DOMAIN)
    before = count(site)
    for line in step(4):
        project.play(line)
    del project.hosts["old"]
    assert remains_of(site, "microblog") == []
    newest = max((project.folder / "backups").glob("microblog-*.tar"))
    with tarfile.open(newest) as packed:
        assert any(name.endswith("/manifest.json") for name in packed.getnames())
    assert count(site) == before
