"""nginx, by the controls of dev-sec's nginx-baseline 2.5.1."""

from __future__ import annotations

import pytest
from baseline import Facts
from machine import Visitor

# Directives that have to be there, and what they may be: None is anything.
DIRECTIVES = {
    "nginx-01": {"user": {"www-data"}},
    "nginx-05": {"server_tokens": {"off"}},
    "nginx-06": {"client_max_body_size": None, "client_header_buffer_size": None, "large_client_header_buffers": None},
    "nginx-12": {"ssl_ciphers": None, "ssl_session_tickets": {"off"}},
}
HEADERS = {
    "nginx-08": ("X-Frame-Options", {"SAMEORIGIN", "DENY"}),
    "nginx-10": ("X-Content-Type-Options", {"nosniff"}),
}
TIMEOUTS = {"keepalive_timeout": 75, "client_body_timeout": 60, "client_header_timeout": 60, "send_timeout": 60}
OWN_TESTS = {"nginx-02", "nginx-03", "nginx-04", "nginx-17"}
OMITTED = {
    "nginx-07": "people behind one address, such as an office's, would lock each other out; logins are limited",
    "nginx-09": "browsers have no such filter any more, and those that had it leaked by it",
    "nginx-13": "HSTS is hard to take back, so it is its owner's decision: nginx_hsts_seconds; the audit has it on",
    "nginx-14": "a proxy does not know which methods the application has",
    "nginx-15": "only its owner knows what the pages load: nginx_csp; the audit has one",
    "nginx-16": "needs a module that Debian has not; the application sets its cookies",
}


@pytest.mark.parametrize("control", DIRECTIVES)
def test_server_is_set(facts: Facts, control: str) -> None:
    for name, good in DIRECTIVES[control].items():
        found = facts.directives.get(name, set())
        assert found and (good is None or found <= good), (name, found)


@pytest.mark.parametrize("control", HEADERS)
def test_pages_have_header(visitor: Visitor, control: str) -> None:
    name, good = HEADERS[control]
    assert visitor.get("/").headers.get(name) in good


def test_nginx_02_configuration_is_root_s(facts: Facts) -> None:
    """Others may read it: it is Debian's, and has no secret."""
    mode, user, group = facts.modes["/etc/nginx/nginx.conf"]
    assert (mode & 0o022, user, group) == (0, "root", "root")


def test_nginx_03_default_sites_are_gone(facts: Facts) -> None:
    assert [path for path in facts.modes if path.startswith("/etc/nginx/") and "default" in path] == []


def test_nginx_04_one_instance_runs(facts: Facts) -> None:
    assert len([line for line in facts.lines("processes") if "nginx: master process" in line]) == 1


def test_nginx_12_old_protocols_are_off(facts: Facts) -> None:
    """nginx.conf is Debian's and has them for sites that set none of their own."""
    protocols = facts.directives["ssl_protocols"]
    assert {"TLSv1.2 TLSv1.3", "TLSv1.3"} & protocols


@pytest.mark.parametrize("name", TIMEOUTS)
def test_nginx_17_slow_clients_are_left(facts: Facts, name: str) -> None:
    found = facts.directives[name]
    assert max(int(value.split()[0].rstrip("s")) for value in found) <= TIMEOUTS[name]


def test_each_control_is_tested_or_has_a_reason() -> None:
    tested = [*DIRECTIVES, *HEADERS, *OWN_TESTS]
    controls = {f"nginx-{number:02}" for number in range(1, 18)} - {"nginx-11"}
    assert sorted([*tested, *OMITTED]) == sorted(controls)
