# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import health
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Health, Patience, Unhealthy

HOST = "blog.example.com"


def redirect(target, status=302):
    return {"status": status, "headers": {"Location": target}}


# what the health URL is, the pages of the site, and the problem; empty where there is none
PAGES = {
    "a page": ({}, ""),
    "an error": ({"start": {"status": 404}}, "/start answered 404"),
    "a redirect to a page": ({"start": redirect("/home")}, ""),
    "a redirect to an error": (
        {"start": redirect("/home"), "home": {"status": 500}}, "/start redirects to /home, which answered 500 well",
    ),
    "by a whole URL": ({"start": redirect("https://%s/home?a=b%%20c" % HOST), "home?a=b%20c": {"status": 502}}, "answered 502"),
    "by a plain URL": ({"start": redirect("http://BLOG.example.com/home"), "home": {"status": 500}}, "answered 500"),
    "of several": ({"start": redirect("home", 301), "home": redirect("/x", 308), "x": {"status": 500}}, "redirects to /x"),
    "to a login": ({"start": redirect("/login?next=/start"), "login?next=/start": {"status": 401}}, ""),
    "to what the proxy serves": ({"start": redirect("/static/index.html"), "static/index.html": {"status": 404}}, ""),
    "to another site": ({"start": redirect("https://login.example.com/x"), "x": {"status": 500}}, ""),
    "to nowhere": ({"start": redirect("http://[")}, ""),
}


@pytest.mark.parametrize("case", PAGES)
def test_follows_redirects_as_a_visitor_does(case, serve):
    pages, problem = PAGES[case]
    server = serve(release="v1", **pages)
    try:
        Health("/start", HOST, "well").check(server.server_address, "v1")
        said = ""
    except Unhealthy as error:
        said = str(error)
    assert (problem in said) if problem else not said
    assert {headers["Host"] for dummy, headers in server.requests} == {HOST}
    assert len(server.requests) <= 3


# the statuses that are accepted, whether redirects are followed, the pages, and the problem
CHOICES = {
    "a login": ([401], True, {"start": {"status": 401}}, ""),
    "another one than the login": ([200, 404], True, {"start": {"status": 401}}, "/start answered 401"),
    "a redirect is as good as a page": ([302], True, {"start": redirect("/home"), "home": {"status": 500}}, ""),
    "a redirect is none": ([200], True, {"start": redirect("https://login.example.com/")}, "/start answered 302"),
    "the page behind a redirect": ([200], True, {"start": redirect("/home"), "home": {"status": 403}}, "which answered 403"),
    "a redirect that is not followed": ([], False, {"start": redirect("/home"), "home": {"status": 500}}, ""),
    "a page only, without a redirect": ([200], False, {"start": redirect("/home")}, "/start answered 302"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_what_is_accepted_can_be_chosen(case, serve):
    accepted, redirect, pages, problem = CHOICES[case]
    server = serve(release="v1", **pages)
    health = Health("/start", HOST, "well", accepted=tuple(accepted), redirect=redirect)
    if not problem:
        return health.check(server.server_address, "v1")
    with pytest.raises(Unhealthy, match=problem):
        health.check(server.server_address, "v1")


@pytest.mark.parametrize("status, pages, said", [
    (401, {}, "(such as a page of its own for that, /healthz), or, if 401 is what / answers when all is well, flask_health_status: [401]"),
    (404, {"login": {"status": 200}}, "(/login answers: flask_health_url: /login)"),
    (404, {"healthz": {"status": 200}, "login": {"status": 200}}, "(/healthz answers: flask_health_url: /healthz)"),
    (500, {"healthz": {"status": 200}}, ""),
])
def test_a_page_that_answers_whoever_asks_is_found_or_asked_for(status, pages, said, serve):
    server = serve(release="v1", status=status, **pages)
    with pytest.raises(Unhealthy) as error:
        Health().check(server.server_address, "v1")
    advice = Health().advice(server.server_address, "v1", error.value)
    assert (said in advice) if said else not advice


def test_a_circle_of_redirects_ends(serve):
    server = serve(release="v1", start=redirect("/start"))
    Health("/start", HOST).check(server.server_address, "v1")
    assert len(server.requests) == 6


def test_a_text_may_be_on_any_page_of_the_way(serve):
    server = serve(release="v1", start=redirect("/home"))
    with pytest.raises(Unhealthy, match="/start redirects to /home, which answered 200, but without the text 'Bye'"):
        Health("/start", HOST, "Bye").check(server.server_address, "v1")


@pytest.fixture
def pauses(monkeypatch):
    """How long is waited between two requests, by a clock that only this moves."""
    found = []
    monkeypatch.setattr(health, "time", SimpleNamespace(sleep=found.append, monotonic=lambda: sum(found)))
    return found


def give_up(check, patience, process=7):
    """What is said in the end of a slot that does not become healthy."""
    for attempt in range(1000):
        try:
            check()
        except Unhealthy as error:
            try:
                patience.wait(error, process() if callable(process) else process)
            except Unhealthy as reason:
                return str(reason)
    return ""


def test_a_steady_error_is_asked_for_five_times(serve, pauses):
    server = serve(release="v1", status=500)
    said = give_up(lambda: Health().check(server.server_address, "v1"), Patience(60))
    assert said == "/ answered 500 well, 5 times"
    assert len(server.requests) == 5 and pauses == [1, 1, 1, 1]


def test_what_says_that_it_passes_is_waited_for(serve, pauses):
    server = serve(release="v1", status=503, headers={"Retry-After": "5"})
    said = give_up(lambda: Health().check(server.server_address, "v1"), Patience(9))
    assert said.endswith(" within 9 s") and len(server.requests) == 11 and set(pauses) == {1}


def test_errors_that_change_are_waited_for(serve, pauses):
    server = serve(release="v1")

    def check():
        server.status = 502 if len(server.requests) % 4 == 0 else 500
        Health().check(server.server_address, "v1")

    assert give_up(check, Patience(9)).endswith(" within 9 s")


def test_a_socket_that_nobody_listens_at_is_tried_ten_times_a_second(short_path, pauses):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short_path / "s"))
        assert "no answer" in give_up(lambda: Health().check(str(short_path / "s"), "v1"), Patience(2))
    give_up(lambda: Health().check(str(short_path / "none"), "v1"), Patience(2))
    assert set(pauses) == {0.1}


def test_one_that_took_a_request_is_asked_once_a_second(pauses):
    give_up(lambda: raise_(Unhealthy("the connection was reset")), Patience(2))
    assert set(pauses) == {1}


def raise_(error):
    raise error


def test_a_process_that_keeps_ending_is_not_waited_for(pauses):
    processes = iter([0, 11, 11, 0, 12, 13])
    said = give_up(lambda: raise_(Unhealthy("no answer", reached=False)), Patience(60), lambda: next(processes))
    assert said == "it ended at its start, 2 times; no answer"
