"""The site, as browsers reach it."""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from machine import APP, SETTINGS, TOP, Machine, Visitor, live_slot, wait_for
from testinfra.host import Host

PRIVATE = [
    *("/.env", "/.git/config", "/static/../.env", "/static/..%2f..%2f.env", "/static../.env"),
    *("/uploads/..%2f..%2f.env", "/static/%2e%2e/%2e%2e/shared/.env"),
]
STATIC_FILE = "/static/style.css"
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
    "Permissions-Policy": "browsing-topics=(), midi=(), serial=(), usb=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=evil.example.com;proto=http",
}


@pytest.fixture
def chosen(machine: Machine) -> dict[str, object]:
    """What this host's inventory has beyond the others'."""
    path = TOP / "molecule/default/host_vars" / f"{machine.name}.yml"
    return yaml.safe_load(path.read_text()) if path.exists() else {}


def any_certificate() -> ssl.SSLContext:
    """What a client needs that takes a self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def tls(machine: Machine) -> ssl.SSLSocket:
    """A connection by a client that speaks HTTP/2 and HTTP/1.1."""
    context = any_certificate()
    context.set_alpn_protocols(["h2", "http/1.1"])
    raw = socket.create_connection((machine.address, 443), timeout=10)
    return context.wrap_socket(raw, server_hostname=machine.name)


def raw_connection(machine: Machine) -> http.client.HTTPSConnection:
    """A client that sends just what it is told."""
    return http.client.HTTPSConnection(machine.address, timeout=10, context=any_certificate())


def test_http_leads_to_the_same_path_over_https(machine: Machine, visitor: Visitor) -> None:
    path = "/posts/count?page=2&q=a%20b"
    answer = visitor.get(f"http://{machine.address}{path}", allow_redirects=False)
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://{machine.address}{path}"


def test_https_answers_the_page_with_its_version(visitor: Visitor) -> None:
    answer = visitor.get("/")
    assert answer.status_code == 200
    assert answer.headers["X-Version"] == SETTINGS["flask_version"]
    assert f"<strong>{SETTINGS['flask_version']}</strong>" in answer.text


def test_the_domain_leads_to_the_same_page(machine: Machine, visitor: Visitor) -> None:
    answer = visitor.get("/whoami", headers={"Host": machine.name})
    assert answer.json()["host"] == machine.name


def test_http2_is_spoken(machine: Machine) -> None:
    with tls(machine) as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_certificate_is_elliptic_and_names_domain_and_address(machine: Machine) -> None:
    with tls(machine) as connection:
        certificate = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert machine.name in names.get_values_for_type(x509.DNSName)
    assert ipaddress.ip_address(machine.address) in names.get_values_for_type(x509.IPAddress)


def test_private_key_is_root_s_alone(host: Host) -> None:
    key = host.file(host.check_output(f"readlink -f /etc/ssl/selfhost/{APP}.key"))
    assert (key.user, key.group, key.mode) == ("root", "root", 0o600)


def test_name_that_no_site_has_is_not_answered(machine: Machine, visitor: Visitor) -> None:
    stranger = {"Host": "evil.example.com"}
    assert visitor.get("/", headers=stranger).status_code == 421
    with pytest.raises(requests.ConnectionError):
        visitor.get(f"http://{machine.address}/", headers=stranger, allow_redirects=False)


@pytest.mark.parametrize("name", [None, "evil.example.com"])
def test_handshake_without_a_name_of_a_site_is_answered(machine: Machine, name: str | None) -> None:
    with (
        socket.create_connection((machine.address, 443), timeout=10) as raw,
        any_certificate().wrap_socket(raw, server_hostname=name) as connection,
    ):
        assert connection.getpeercert(binary_form=True)


def test_challenge_of_a_certificate_authority_is_answered_without_tls(
    machine: Machine, host: Host, visitor: Visitor
) -> None:
    folder = "/var/lib/selfhost/acme/.well-known/acme-challenge"
    host.check_output(f"mkdir -p {folder} && echo proof >{folder}/test")
    url = f"http://{machine.address}/.well-known/acme-challenge"
    answer = visitor.get(f"{url}/test", allow_redirects=False)
    host.check_output(f"rm {folder}/test")
    assert (answer.status_code, answer.text) == (200, "proof\n")
    assert answer.headers["Content-Type"] == "text/plain"
    assert visitor.get(f"{url}/test", allow_redirects=False).status_code == 404


def test_old_versions_of_tls_are_refused(machine: Machine) -> None:
    context = any_certificate()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((machine.address, 443), timeout=10) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(raw, server_hostname=machine.name)


@pytest.mark.parametrize("path", ["/", STATIC_FILE, "/static/none.css", "/none", "/static/.env"])
def test_each_answer_has_the_headers_for_safety_once(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_promises_and_policies_are_made_only_where_they_are_chosen(
    visitor: Visitor, chosen: dict[str, object]
) -> None:
    headers = visitor.get("/").headers
    policy = "Content-Security-Policy-Report-Only"
    assert headers.get("Strict-Transport-Security") == ("max-age=300" if chosen else None)
    assert ("Alt-Svc" in headers) == bool(chosen.get("nginx_http3_enabled"))
    assert headers.get(policy) == (
        f"{chosen['nginx_csp_report_only']}; report-uri /.csp-report" if chosen else None
    )


def test_report_on_a_policy_is_in_a_log(host: Host, visitor: Visitor, chosen: dict[str, object]) -> None:
    report = {"csp-report": {"blocked-uri": "inline"}}
    answer = visitor.post("/.csp-report", json=report)
    if not chosen:
        assert answer.status_code == 404
        return
    assert (answer.status_code, visitor.post("/.csp-report", data=b"x" * 9000).status_code) == (204, 413)
    line = host.check_output(f"grep blocked-uri /var/log/nginx/{APP}.csp.log | tail -n 1")
    assert json.loads(json.loads(line)["report"]) == report


def test_other_name_leads_to_the_domain(
    machine: Machine, visitor: Visitor, chosen: dict[str, object]
) -> None:
    headers = {"Host": "www.guestbook.example"}
    answer = visitor.get("/a?b=c", headers=headers, allow_redirects=False)
    plain = f"http://{machine.address}/a?b=c"
    if not chosen:
        assert answer.status_code == 421
        return
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{machine.name}/a?b=c")
    assert answer.headers["Strict-Transport-Security"] == "max-age=300"
    answer = visitor.get(plain, headers=headers, allow_redirects=False)
    assert answer.headers["Location"] == "https://www.guestbook.example/a?b=c"


def test_header_of_the_application_wins(visitor: Visitor) -> None:
    answer = visitor.get("/whoami")
    expected = {**HEADERS, "Referrer-Policy": "no-referrer"}
    assert {name: answer.headers.get(name) for name in HEADERS} == expected


def test_static_files_come_from_nginx_and_are_asked_for_again_soon(visitor: Visitor) -> None:
    answer = visitor.get(STATIC_FILE)
    assert answer.status_code == 200
    assert "X-Version" not in answer.headers  # the application names it in every answer of its own
    assert answer.headers["Content-Type"] == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=60, must-revalidate"
    again = visitor.get(STATIC_FILE, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_static_files_of_one_version_are_kept_for_long(visitor: Visitor) -> None:
    answer = visitor.get(f"{STATIC_FILE}?v=v1")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_static_files_are_compressed_and_pages_are_not(visitor: Visitor, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    assert visitor.get(STATIC_FILE, headers=headers, stream=True).headers["Content-Encoding"] == encoding
    assert "Content-Encoding" not in visitor.get("/", headers=headers).headers


def test_static_file_that_is_missing_is_asked_of_the_application(visitor: Visitor) -> None:
    answer = visitor.get("/static/none.css")
    assert answer.status_code == 404
    assert answer.headers["X-Version"] == SETTINGS["flask_version"]
    assert "max-age" not in answer.headers.get("Cache-Control", "")


@pytest.mark.parametrize("path", PRIVATE)
def test_nothing_but_the_static_folder_is_public(machine: Machine, path: str) -> None:
    connection = raw_connection(machine)
    connection.request("GET", path)  # as it is: a browser would shorten it
    answer = connection.getresponse()
    assert answer.status in (400, 404)
    assert b"SECRET_KEY" not in answer.read()


@pytest.fixture
def stopped_application(machine: Machine, host: Host) -> Iterator[None]:
    """The live slot stopped, the other one as it is: it has ended; afterwards it runs again."""
    program = f"{APP}-{live_slot(host)}"
    host.check_output(f"supervisorctl stop {program}")
    yield
    host.check_output(f"supervisorctl start {program}")
    wait_for(machine.answers, "the application's start")


def test_error_page_and_static_files_are_served_while_the_application_is_down(
    stopped_application: None, visitor: Visitor
) -> None:
    answer = visitor.get("/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (502, "10")
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "<h1>The site can't be reached at the moment</h1>" in answer.text
    answer = visitor.post("/", headers={"Accept": "application/json"})
    assert (answer.status_code, list(answer.json())) == (502, ["error"])
    assert visitor.get(STATIC_FILE).status_code == 200


def test_passwords_can_be_tried_only_so_often(machine: Machine, host: Host, visitor: Visitor) -> None:
    """From the host itself, so that the visitor of the other tests is not the one who is slowed down."""
    ask = f"curl -sk -o /dev/null -w '%{{http_code}} ' https://{machine.address}/login"
    said = host.check_output(f"for i in $(seq 40); do {ask} -X POST; done").split()
    assert said[:6] == ["400"] * 6  # without the form's token
    assert "429" in said[6:]
    said = host.check_output(f"for i in $(seq 25); do {ask}/ -X POST; done").split()
    assert said[-1] == "429"  # a slash behind is no way round it
    assert host.check_output(ask) == "200 "  # to read the page is none
    assert visitor.post("/login").status_code == 400  # another visitor


def test_request_beyond_the_limit_is_refused_before_it_is_sent(machine: Machine) -> None:
    connection = raw_connection(machine)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(17 * 2**20))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_events_arrive_as_they_are_sent(visitor: Visitor) -> None:
    begin = time.monotonic()
    with visitor.get("/ticks", stream=True) as answer:
        lines = answer.iter_lines()
        assert (next(lines), answer.headers["Content-Type"]) == (b"data: 0", "text/event-stream; charset=utf-8")
    assert time.monotonic() - begin < 4  # all of them take 5 seconds


def test_application_sees_the_visitor_and_what_he_asked_for(machine: Machine, visitor: Visitor) -> None:
    assert visitor.get("/whoami").json() == {
        "remote_addr": machine.own_address(),
        "scheme": "https",
        "host": machine.address,
    }


def test_forged_forwarded_headers_are_not_believed(machine: Machine, visitor: Visitor) -> None:
    assert visitor.get("/whoami", headers=FORGED).json() == visitor.get("/whoami").json()
    assert f'href="{FORGED["X-Forwarded-Prefix"]}' not in visitor.get("/", headers=FORGED).text


def test_server_keeps_its_version_to_itself(visitor: Visitor) -> None:
    assert visitor.get("/").headers["Server"] == "nginx"


def test_default_site_is_gone(host: Host) -> None:
    assert host.file("/etc/nginx/sites-enabled").listdir() == [APP]
