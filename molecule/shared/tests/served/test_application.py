"""The application, as its members use it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from machine import Machine, Visitor

PASSWORD = "correct horse"


def submit(visitor: Visitor, path: str, files: dict | None = None, **fields: str) -> str:
    """Fills in a page's form and sends it; the page that follows."""
    page = visitor.get(path)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)[1]
    data, headers = {"csrf_token": token, **fields}, {"Referer": page.url}
    answer = visitor.post(path, data=data, files=files, headers=headers)
    assert answer.status_code == 200
    return answer.text


@pytest.fixture
def member(visitor: Visitor) -> str:
    """The name of a new member, who is signed in."""
    name = f"ana-{uuid.uuid4().hex[:12]}"
    submit(visitor, "/register", name=name, email=f"{name}@example.com", password=PASSWORD)
    page = submit(visitor, "/login", name=name, password=PASSWORD)
    assert f"<span>{name}</span>" in page
    return name


def test_member_s_post_is_on_the_page(visitor: Visitor, member: str) -> None:
    text = f"¡Hola! 🎉 from {member}"
    assert text in submit(visitor, "/", body=text)


def test_post_is_there_for_everybody(machine: Machine, visitor: Visitor, member: str) -> None:
    submit(visitor, "/", body=f"for all, by {member}")
    assert f"for all, by {member}" in machine.visitor().get("/").text


def test_wrong_password_is_refused(machine: Machine, member: str) -> None:
    page = submit(machine.visitor(), "/login", name=member, password="wrong")
    assert "Wrong name or password." in page


@pytest.mark.parametrize("size", [100, 15 * 2**20], ids=["small", "just-below-the-limit"])
def test_upload_is_served_back(visitor: Visitor, member: str, size: int) -> None:
    picture = uuid.uuid4().bytes * (size // 16)
    page = submit(visitor, "/", files={"image": ("a.png", picture)}, body=f"by {member}")
    path = re.search(rf'<p>by {member}</p>\s*<img src="([^"]+)"', page)[1]
    assert visitor.get(path).content == picture


def test_page_speaks_the_visitor_s_language(visitor: Visitor) -> None:
    assert "Libro de visitas" in visitor.get("/", headers={"Accept-Language": "es-MX,es;q=0.9"}).text
    assert "Guestbook" in visitor.get("/", headers={"Accept-Language": "en"}).text


def test_mail_leaves_through_the_host_s_mail_server(
    machine: Machine, member: str, mail_to: Callable[[str], str]
) -> None:
    message = mail_to(f"{member}@example.com")
    assert f"Subject: Welcome, {member}" in message
    assert f"by {machine.name} (Postfix)" in message
