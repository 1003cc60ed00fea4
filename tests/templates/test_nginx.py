# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy's configuration: what it says of each site, and that nginx reads it as a whole."""

from __future__ import annotations

import re

import pytest
from deployments import DEPLOYMENTS, EVERYTHING, ROLES, SHOP
from nginx_conf import blocks, found_in

CASES = {"as it is": {}, "with everything": EVERYTHING, "with real certificates": {"flask_tls": "letsencrypt"}}


@pytest.fixture
def site(render):
    """The servers of a site: plain, then those with TLS."""

    def site(deployment="usual", **given):
        text = render("nginx", "site.conf.j2", deployment, **given)
        return [block[-1] for block in blocks(text) if block[0] == "server"]

    return site


@pytest.fixture
def maps(render):
    """The values of a site's map, by what they are for."""

    def maps(name, deployment="usual", **given):
        top = blocks(render("nginx", "http.conf.j2", deployment, **given))
        found = next(words[-1] for words in found_in(top, "map") if words[1].endswith("_" + name))
        return {words[0]: words[-1] for words in found if len(words) == 2}

    return maps


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_site_has_its_files_and_its_application(deployment, site, render):
    settings = DEPLOYMENTS[deployment]
    dummy, tls = site(deployment, flask_tls="letsencrypt")
    domain = settings.get("flask_domain", settings["inventory_hostname"]).lower()
    assert found_in(tls, "server_name") == [[domain]]
    assert found_in(tls, "location", settings.get("flask_static_url", "/static") + "/")
    static = blocks(render("nginx", "static.conf.j2", deployment))
    assert found_in(static, "root") == [["/srv/%s/current/.public" % settings["flask_app"]]]
    proxy = blocks(render("nginx", "proxy.conf.j2", deployment))
    sent = {words[0]: words[1] for words in found_in(proxy, "proxy_set_header")}
    assert sent["X-Forwarded-For"] == "$remote_addr" and sent["Forwarded"] == "" and sent["X-Release"] == ""
    assert sent["X-Forwarded-Port"] == "$server_port" and sent["X-Forwarded-Proto"] == "$scheme"
    assert found_in(proxy, "proxy_hide_header") == [["X-Release"]]
    assert found_in(proxy, "proxy_intercept_errors") == []  # the application's own 503 passes


def test_http_leads_to_names_of_the_site_only(site, maps):
    plain = site(**EVERYTHING)[0]
    assert found_in(found_in(plain, "location", "/")[0][-1], "return") == [["301", "https://$microblog_name$request_uri"]]
    assert maps("name", **EVERYTHING) == {
        "default": "blog.example.com",
        "www.example.com": "www.example.com",
        "*.blog.example.com": "$host",
    }


def test_other_names_lead_to_the_domain(site):
    dummy, other, tls = site(**EVERYTHING, flask_tls="letsencrypt")
    assert found_in(other, "server_name") == [["www.example.com", "*.blog.example.com"]]
    assert found_in(found_in(other, "location", "/")[0][-1], "return") == [["308", "https://blog.example.com$request_uri"]]
    assert found_in(tls, "server_name") == [["blog.example.com"]]


def test_other_names_are_served_where_they_do_not_lead_elsewhere(site):
    dummy, tls = site(**EVERYTHING, nginx_alias_redirect=False, flask_tls="letsencrypt")
    assert found_in(tls, "server_name") == [["blog.example.com", "www.example.com", "*.blog.example.com"]]


@pytest.mark.parametrize("given, names", [
    ({}, ["blog.example.com", "192.0.2.7"]),
    ({"flask_tls": "letsencrypt"}, ["blog.example.com"]),
    ({"flask_domain": "2001:db8::1"}, ["[2001:db8::1]", "192.0.2.7"]),
    ({"flask_domain": "192.0.2.7"}, ["192.0.2.7"]),
])
def test_the_address_is_a_name_until_there_is_a_certificate_for_the_domain(given, names, site):
    assert found_in(site(ansible_host="192.0.2.7", **given)[-1], "server_name") == [names]


@pytest.mark.parametrize("template", ["default.conf.j2", "nginx.conf.j2", "acme.conf.j2", "confinement.conf.j2"])
def test_what_sites_share_is_the_same_whichever_writes_it(template, render):
    facts = {"distribution": "Debian", "distribution_major_version": "13"}
    written = {
        render("nginx", template, deployment, **{**given, "ansible_facts": facts, "nginx_hsts_seconds": 60})
        for deployment in DEPLOYMENTS
        for given in [*CASES.values(), {"flask_domain": "192.0.2.7", "flask_tls": "provided"}]
    }
    assert len(written) == 1


def test_a_handshake_without_a_known_name_is_answered(render):
    tls = found_in(blocks(render("nginx", "default.conf.j2")), "server")[-1][-1]
    assert found_in(tls, "ssl_certificate") == [["/etc/ssl/selfhost/default.pem"]]
    assert found_in(found_in(tls, "location", "/")[0][-1], "return") == [["421"]]
    assert found_in(tls, "ssl_reject_handshake") == found_in(tls, "add_header") == []


def test_no_user_of_the_host_has_all_connections_to_its_own_proxy(render):
    rules = render("nginx", "connections.nft.j2", nginx_local_connections=50)
    assert "tcp dport { 80, 443 }" in rules and "ct count over 50 }" in rules
    unit = render("nginx", "connections.service.j2")
    assert "\nExecStart=-/usr/sbin/nft -f /etc/nginx-connections.nft\n" in unit and "\nBefore=nginx.service\n" in unit
    assert "nft" not in render("nginx", "confinement.conf.j2")  # a change of it restarts nginx, and a new number is no reason


@pytest.mark.parametrize("shop, own, differing", [
    ({"nginx_local_connections": 50}, {}, ["nginx_local_connections"]),
    ({}, {}, []),
    ({"flask_tls_profile": "intermediate", "nginx_http3_enabled": "no"}, {}, []),
    ({"flask_tls_profile": "modern"}, {}, ["flask_tls_profile"]),
    ({}, {"flask_tls_profile": "modern"}, ["flask_tls_profile"]),
    ({"flask_tls_profile": "modern", "nginx_http3_enabled": True}, {"flask_tls_profile": "modern"}, ["nginx_http3_enabled"]),
    ({"nginx_confinement": {"ProtectHome": "no"}}, {}, ["nginx_confinement"]),
    ({"flask_tls_profile": "modern", "ansible_host": "192.0.2.8"}, {}, []),
])
def test_sites_of_one_host_agree_on_what_they_share(shop, own, differing, evaluate, refusals):
    hosts = {"shop": {**SHOP, **shop}, "blog.example.com": {}, "mail": {"ansible_host": "192.0.2.7", "inventory_hostname": "mail"}}
    given = {"hostvars": hosts, "groups": {"all": list(hosts)}, "ansible_host": "192.0.2.7", **own}
    assert evaluate("nginx", "__nginx_differing", **given) == differing
    told = [text for text in refusals("nginx", **given) if "same host" in text]
    assert [text.startswith(" and ".join(differing) + " differs between blog.example.com and shop, which") for text in told] == [True] * bool(differing)


@pytest.mark.parametrize("shop, own, promised", [
    ({}, {"nginx_hsts_seconds": 300}, []),
    ({"nginx_hsts_seconds": 300}, {}, []),
    ({"nginx_hsts_seconds": "60"}, {"nginx_hsts_seconds": 300}, [["Strict-Transport-Security", "max-age=60", "always"]]),
])
def test_who_asks_for_no_site_is_promised_what_all_sites_promise(shop, own, promised, render):
    hosts = {"shop": {**SHOP, **shop}, "blog.example.com": {}}
    given = {"hostvars": hosts, "groups": {"all": list(hosts)}, "ansible_host": "192.0.2.7", **own}
    tls = found_in(blocks(render("nginx", "default.conf.j2", **given)), "server")[-1][-1]
    assert found_in(tls, "add_header") == promised


def test_http3_is_offered_only_by_choice(render):
    for template in ("site.conf.j2", "default.conf.j2", "headers.conf.j2"):
        without = render("nginx", template, "nasty")
        with_it = render("nginx", template, "nasty", nginx_http3_enabled=True)
        assert not re.search("quic|h3", without) and re.search("quic|h3", with_it)
    default = blocks(render("nginx", "default.conf.j2", "nasty", nginx_http3_enabled=True))
    assert ["443", "quic", "reuseport", "default_server"] in found_in(found_in(default, "server")[-1][-1], "listen")


LONG, SHORT = "public, max-age=31536000, immutable", "public, max-age=60, must-revalidate"


@pytest.mark.parametrize("request_uri, kept", [
    ("/static/app.3f2a9c1b.css", LONG),
    ("/static/app-3f2a9c1bd0e1f2a3.min.js", LONG),
    ("/static/style-20240131.css", LONG),
    ("/static/style.202401311530.css", LONG),
    ("/static/app.css?v=2", LONG),
    ("/static/app.css?a=b&h=3f2a", LONG),
    ("/static/app.css", SHORT),
    ("/static/app.css?v=", SHORT),
    ("/static/app.css?page=2", SHORT),
    ("/static/jquery-3.7.1.min.js", SHORT),
    ("/static/photo-12345678901234.jpg", SHORT),
    ("/static/facade/app.css", SHORT),
    ("/static/deadbeef/app.css", SHORT),
    ("/static/x.20240131/app.css", SHORT),
])
def test_a_file_that_changes_its_name_is_kept_for_long(request_uri, kept, maps):
    found = maps("static")
    patterns = [(key[1:], value) for key, value in found.items() if key.startswith("~")]
    assert next((value for pattern, value in patterns if re.search(pattern, request_uri)), found["default"]) == kept


def test_headers_are_for_answers_that_have_none(maps, render):
    assert maps("x_frame_options") == {"default": "", "": "SAMEORIGIN"}
    assert maps("strict_transport_security", **EVERYTHING)[""] == "max-age=300; includeSubDomains"
    assert maps("x_clacks_overhead", **EVERYTHING)[""] == 'GNU "Terry" \\'
    sent = found_in(blocks(render("nginx", "headers.conf.j2", **EVERYTHING)), "add_header")
    assert {words[-1] for words in sent} == {"always"}
    names = [words[0] for words in sent]
    assert "X-Frame-Options" not in names and "Content-Security-Policy-Report-Only" in names


def test_no_promise_is_made_that_was_not_asked_for(render):
    text = render("nginx", "headers.conf.j2")
    assert "Strict-Transport-Security" not in text and "Content-Security-Policy" not in text


@pytest.mark.parametrize("path", sorted((ROLES / "nginx/templates").rglob("*.j2")), ids=lambda path: path.name)
def test_a_block_with_headers_of_its_own_has_the_others_too(path):
    """nginx drops those of the block around it."""
    text = path.read_text()
    if "add_header" in text and path.name not in ("headers.conf.j2", "default.conf.j2"):
        assert "/headers.conf;" in text


def test_passwords_are_counted_only_where_they_are_posted(site, maps, render):
    tls = site(**EVERYTHING)[-1]
    limited = {words[1]: words[-1] for words in found_in(tls, "location", "=")}
    assert set(limited) == {"/auth/login", "/auth/login/", "/admin/login", "/admin/login/", "/.csp-report"}
    for path in ("/auth/login", "/auth/login/"):
        assert found_in(limited[path], "limit_req") == [["zone=microblog_login", "burst=5", "nodelay"]]
    assert maps("login", **EVERYTHING) == {"default": "", "POST": "$selfhost_visitor"}
    assert "limit_req" not in render("nginx", "http.conf.j2") + render("nginx", "site.conf.j2")


@pytest.mark.parametrize("urls, paths", [
    (["/login"], ["/login/", "/login"]),
    (["/login/", "/login", "/a//"], ["/login/", "/login", "/a/", "/a"]),
    (["/"], ["/"]),
    ([], []),
])
def test_a_path_for_passwords_is_limited_with_and_without_a_slash_behind(urls, paths, site):
    found = found_in(site(flask_login_urls=urls)[-1], "location", "=")
    assert [words[1] for words in found] == paths


def test_pages_are_compressed_only_by_choice(render):
    assert ["on"] not in found_in(blocks(render("nginx", "proxy.conf.j2")), "gzip")
    assert ["on"] in found_in(blocks(render("nginx", "proxy.conf.j2", nginx_compress_pages=True)), "gzip")
    assert ["on"] in found_in(blocks(render("nginx", "static.conf.j2")), "brotli")


def test_a_page_of_ones_own_is_read_beside_the_inventory(evaluate, refusals, tmp_path):
    given = {"nginx_error_page": "page.html", "inventory_dir": str(tmp_path)}
    (tmp_path / "page.html").write_text("<p>Back soon")
    assert refusals("nginx", **given) == []
    given["ansible_search_path"] = [str(ROLES / "nginx")]
    written = evaluate("nginx", "__nginx_page_files", **given)
    assert [file["content"] for file in written if file["dest"].endswith("unavailable/page.html")] == ["<p>Back soon"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("case", CASES)
def test_nginx_reads_it_all(case, deployment, site_on_disk):
    result = site_on_disk(deployment, CASES[case]).ask("-t")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("given, ports", [({}, 6), ({"__flask_login": {"ipv6": True}}, 6), ({"__flask_login": {"ipv6": False}}, 0)])
def test_a_kernel_without_ipv6_is_not_asked_for_its_ports(given, ports, render):
    files = [render("nginx", name, nginx_http3_enabled=True, **given) for name in ("site.conf.j2", "default.conf.j2")]
    assert sum(text.count("listen [::]:") for text in files) == ports
    assert sum(text.count("listen 80") + text.count("listen 443") for text in files) == 6
