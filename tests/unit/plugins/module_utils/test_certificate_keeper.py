# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate from its first day on, whatever its origin: made, asked for, renewed, moved, served."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.certificate import acme as certificate_acme
from ansible_collections.selfhost.flask.plugins.module_utils.certificate import keeper as program
from ansible_collections.selfhost.flask.plugins.module_utils.certificate import store as certificate_store
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    Pair,
    self_signed,
)
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program as deployment_program
from ansible_collections.selfhost.flask.plugins.module_utils.proxy import nginx
from tls_host import DAY, DIRECTORY, TlsHost

ACME = {"origin": "letsencrypt"}
NAMES = ["blog.example.com", "www.example.com"]


@pytest.fixture
def host(tmp_path, monkeypatch):
    found = TlsHost(tmp_path, monkeypatch)
    yield found
    found.close()


def given(*names, days=90):
    return self_signed(list(names or NAMES[:1]), [], days)


def test_a_bare_host_gets_a_placeholder_and_no_one_is_asked(host):
    keeper = host.keeper(**ACME)
    assert keeper.lacks() and keeper.provide() and not keeper.provide()
    assert keeper.store.facts().names[0] == "blog.example.com" and host.asked() == []
    assert host.report()["placeholder"] and keeper.asks()


@pytest.fixture
def borrowed(host):
    """Another installation's pair, which an authority has signed."""
    keeper = host.keeper(**ACME)
    keeper.lineage.ask(keeper.names)
    pair = keeper.lineage.read()
    shutil.rmtree(host.places.letsencrypt)
    return pair


def test_another_installations_certificate_is_served_until_there_is_one_of_its_own(host, borrowed):
    keeper = host.keeper(**ACME)
    keeper.provide()
    assert keeper.borrow(borrowed) and not keeper.borrow(borrowed)
    assert keeper.store.read() == borrowed and host.report()["placeholder"]
    assert oct(os.stat(keeper.store.links["key.pem"]).st_mode)[-3:] == "600"
    assert not keeper.provide() and keeper.asks()
    keeper.keep()
    assert keeper.store.read() == keeper.lineage.read() != borrowed and not keeper.borrow(borrowed)


@pytest.mark.parametrize("origin", ["self_signed", "provided"])
def test_a_site_that_asks_nobody_borrows_no_certificate(origin, host, borrowed):
    keeper = host.keeper(origin=origin)
    keeper.store.install(given())
    assert not keeper.borrow(borrowed) and keeper.store.read() != borrowed


def test_a_certificate_that_is_not_good_is_not_borrowed(host):
    keeper = host.keeper(**ACME)
    keeper.provide()
    before = keeper.store.read()
    with pytest.raises(CertificateError, match="and not for blog.example.com"):
        keeper.borrow(given("shop.example.com"))
    assert keeper.store.read() == before


def test_paths_are_links_and_the_key_is_root_s_alone(host):
    keeper = host.keeper()
    keeper.provide()
    links = {name: os.readlink(path) for name, path in keeper.store.links.items()}
    assert links == {"certificate.pem": "blog/live/certificate.pem", "key.pem": "blog/live/key.pem"}
    modes = [oct(os.stat(keeper.store.links[name]).st_mode)[-3:] for name in ("certificate.pem", "key.pem")]
    assert modes == ["644", "600"]


def test_plain_files_from_before_are_kept_until_the_links_are_there(host, monkeypatch):
    keeper, old = host.keeper(), given("old.example.com")
    os.makedirs(keeper.store.folder)
    for path, text in zip(keeper.store.links.values(), old):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    seen, replace = [], certificate_store.replace_link

    def watched(path, target):
        replace(path, target)
        seen.append(keeper.store.read())

    monkeypatch.setattr(certificate_store, "replace_link", watched)
    assert keeper.provide()
    assert None not in seen and seen[0] == old and seen[-1].facts().names[0] == "blog.example.com"


def test_a_power_cut_at_any_moment_leaves_a_certificate_with_its_key(host, monkeypatch):
    keeper = host.keeper(**ACME)
    keeper.provide()
    before = keeper.store.read()

    def cut(*arguments):
        raise KeyboardInterrupt

    for name in ("write_file", "sync_folder", "replace_link"):
        with monkeypatch.context() as patched:
            patched.setattr(certificate_store, name, cut)
            with pytest.raises(KeyboardInterrupt):
                keeper.store.install(given())
        assert keeper.store.read() == before
    keeper.store.install(given())
    assert keeper.store.read() != before


def test_only_the_pair_before_is_kept(host):
    keeper = host.keeper()
    for number in range(4):
        keeper.store.install(given("n%d.example.com" % number))
    assert len(os.listdir(keeper.store.own)) == 3  # with the link
    assert keeper.store.facts().names == ("n3.example.com",)


def test_a_pair_that_does_not_belong_together_counts_as_none(host):
    keeper = host.keeper()
    keeper.provide()
    with open(keeper.store.links["key.pem"], "w", encoding="utf-8") as file:
        file.write(given().key)
    assert keeper.store.read() is None and keeper.provide() and keeper.store.read()


def test_a_self_signed_one_is_made_anew_when_it_is_due_or_the_names_change(host):
    keeper = host.keeper()
    keeper.provide()
    first = keeper.store.facts().fingerprint
    host.time = time.time() + 549 * DAY
    assert not keeper.keep() and keeper.store.facts().fingerprint == first
    host.time = time.time() + 551 * DAY
    assert keeper.keep() and keeper.store.facts().fingerprint != first
    host.time = None
    assert host.keeper(names=NAMES).provide() and set(NAMES) <= set(keeper.store.facts().names)


def test_what_is_provided_is_installed_once(host):
    keeper, pair = host.keeper(origin="provided"), given()
    assert keeper.provide(pair) and not keeper.provide(pair) and keeper.store.read() == pair
    assert keeper.provide(given()) and not keeper.keep()


def test_what_is_provided_and_bad_changes_nothing(host):
    keeper, pair = host.keeper(origin="provided"), given()
    keeper.provide(pair)
    for bad in (Pair(pair.certificate, given().key), given("other.example.com")):
        with pytest.raises(CertificateError):
            keeper.provide(bad)
        assert keeper.store.read() == pair


def test_a_provided_one_that_is_damaged_is_said_and_not_replaced(host):
    keeper, pair = host.keeper(origin="provided", services=["nginx"]), given()
    keeper.provide(pair)
    host.serve(keeper)
    with open(keeper.store.links["key.pem"], "w", encoding="utf-8") as file:
        file.write(given().key)
    with pytest.raises(CertificateError, match="blog.key is not the key of .*blog.pem.*Run `selfhost.flask.site`"):
        keeper.keep()
    assert host.report()["outcome"] == "failed" and "Run `selfhost.flask.site`" in host.report()["message"]
    assert host.reloads() == [] and keeper.store.read() is None  # nginx goes on with what it has loaded
    os.unlink(keeper.store.links["certificate.pem"])
    with pytest.raises(CertificateError, match="There is no certificate at .*blog.pem"):
        keeper.keep()
    assert keeper.provide(pair) and not keeper.keep() and host.report()["outcome"] == "ok"


def test_somebody_is_told_of_a_provided_one_that_ends_soon(host):
    keeper = host.keeper(origin="provided")
    keeper.provide(given(days=90))
    assert keeper.late() == ""
    host.time = time.time() + 80 * DAY
    assert "tls_certificate" in keeper.late()
    assert host.keeper().late() == ""


def test_a_certificate_is_asked_for_once(host):
    keeper = host.keeper(names=NAMES, **ACME)
    keeper.provide()
    assert keeper.keep() and keeper.store.read() == keeper.lineage.read()
    host.forget()
    assert not keeper.keep() and host.asked() == []
    assert host.report()["outcome"] == "ok" and not host.report()["placeholder"]


def test_certbot_is_told_all_it_needs(host):
    keeper = host.keeper(names=NAMES, **ACME)
    keeper.keep()
    asked = host.asked()
    pairs = dict(zip(asked, asked[1:]))
    assert pairs["--server"] == DIRECTORY and pairs["--cert-name"] == "selfhost-blog"
    assert pairs["--webroot-path"] == host.places.state + "/acme" and pairs["--key-type"] == "ecdsa"
    assert "--register-unsafely-without-email" in asked and "--manual" not in asked
    assert [word for word, before in zip(asked[1:], asked) if before == "--domain"] == NAMES


def test_an_account_has_the_address_and_a_private_server_its_ca(host):
    host.keeper(acme={"email": "ana@example.com", "ca": True}, **ACME).keep()
    assert "ana@example.com" in host.asked()
    assert (host.fake / "bundle").read_text().strip() == str(host.root / "deployment/acme-ca.pem")


def test_challenges_by_dns_are_the_program_s_own(host):
    host.keeper(names=["*.example.com"], acme={"dns": True}, **ACME).keep()
    asked = host.asked()
    command = "/usr/bin/python3 -I %s/deployment/certificate.pyz %s add" % (host.root, host.root)
    assert asked[asked.index("--manual-auth-hook") + 1] == command and "--webroot" not in asked


@pytest.mark.parametrize("days, good_for", [("90", 59), ("45", 29), ("6", 2.9)])
def test_it_is_renewed_by_the_share_of_its_life(host, days, good_for):
    (host.fake / "days").write_text(days)
    keeper = host.keeper(**ACME)
    keeper.keep()
    host.forget()
    host.time = time.time() + good_for * DAY
    assert not keeper.keep() and host.asked() == []
    host.time += 1.5 * DAY
    assert keeper.keep() and host.asked()


@pytest.mark.parametrize("days, hours", [("90", 360), ("45", 180), ("6", 36)])
def test_the_distribution_s_own_timer_comes_second(host, days, hours):
    (host.fake / "days").write_text(days)
    keeper = host.keeper(**ACME)
    keeper.keep()
    settings = (host.folder / "letsencrypt/renewal/selfhost-blog.conf").read_text()
    assert settings.startswith("renew_before_expiry = %d hours\nversion = " % hours) and "# renew" not in settings


@pytest.mark.parametrize("changed", [
    {"names": NAMES}, {"names": ["new.example.com"]}, {"acme": {"server": "https://other.example.com/directory"}},
])
def test_other_names_or_another_server_are_asked_for(host, changed):
    host.keeper(**ACME).keep()
    host.forget()
    keeper = host.keeper(**ACME, **changed)
    assert not keeper.provide() and keeper.keep() and host.asked()
    assert sorted(keeper.store.facts().names) == sorted(keeper.names)


def test_names_that_a_server_adds_are_not_asked_about_again(host):
    (host.fake / "added").write_text("www.example.com")
    keeper = host.keeper(**ACME)
    keeper.keep()
    host.forget()
    assert "www.example.com" in keeper.store.facts().names
    assert not keeper.keep() and host.asked() == []
    both = host.keeper(names=NAMES, **ACME)  # the certificate has both, but was not asked to
    assert both.keep() and host.asked()
    assert keeper.keep() and not keeper.keep()


def test_a_certificate_of_unknown_origin_is_for_its_names(host):
    keeper = host.keeper(names=NAMES, **ACME)
    keeper.keep()
    os.unlink(keeper.lineage.acme.asked)
    host.forget()
    assert not keeper.asks() and host.keeper(**ACME).asks()


def test_a_name_that_is_missing_is_asked_for_again(host):
    keeper = host.keeper(names=NAMES, **ACME)
    keeper.keep()
    with open(keeper.lineage.acme.asked, encoding="ascii") as file:
        asked = file.read()
    keeper.lineage.ask(NAMES[:1])
    with open(keeper.lineage.acme.asked, "w", encoding="ascii") as file:
        file.write(asked)
    assert keeper.asks()


def test_a_server_that_refuses_leaves_what_there_was(host):
    keeper = host.keeper(**ACME)
    keeper.keep()
    before = keeper.store.read()
    (host.fake / "problem").write_text("Saving debug log to x\nDetail: rateLimited: too many\nAsk for help or search\n")
    host.time = time.time() + 80 * DAY
    with pytest.raises(CertificateError) as raised:
        keeper.keep()
    assert "gave no certificate for blog.example.com. Detail: rateLimited: too many" in str(raised.value)
    assert keeper.store.read() == before
    assert host.report()["outcome"] == "failed" and "rateLimited" in host.report()["message"]


def test_what_certbot_hides_is_in_its_log(host):
    (host.fake / "problem").write_text("An unexpected error occurred:\nAttributeError: can't set attribute\n")
    log = host.folder / "log"
    text = "acme.messages.Error: urn:ietf:params:acme:error:rateLimited :: %s\nProblem for x: y\n\nDuring handling\n"
    log.write_text(text % "an older one" + text % "too many certificates")
    keeper = host.keeper(**ACME)
    keeper.lineage.acme = keeper.lineage.acme._replace(log=str(log))
    with pytest.raises(CertificateError) as raised:
        keeper.keep()
    assert str(raised.value).endswith(":: too many certificates\nProblem for x: y")


def test_another_certbot_is_waited_for(host, monkeypatch):
    (host.fake / "problem").write_text(certificate_acme.BUSY)
    slept = []
    monkeypatch.setattr(certificate_acme.time, "sleep", lambda seconds: (slept.append(seconds), (host.fake / "problem").unlink()))
    assert host.keeper(**ACME).keep() and slept == [2]


def test_what_somebody_else_renewed_is_installed_and_loaded(host):
    keeper = host.keeper(services=["nginx"], **ACME)
    keeper.provide()
    server = host.serve(keeper)
    keeper.keep()
    assert host.reloads() == ["reload nginx"] and "blog.example.com" in server.names
    keeper.lineage.ask(keeper.names)
    assert keeper.keep() and keeper.store.read() == keeper.lineage.read() and len(host.reloads()) == 2
    assert not keeper.keep() and len(host.reloads()) == 2


def test_what_is_installed_and_not_served_is_loaded(host):
    keeper = host.keeper(services=["nginx"])
    keeper.provide()
    host.serve(keeper)
    keeper.store.install(given())
    assert keeper.keep() and host.reloads() == ["reload nginx"] and not keeper.keep()


@pytest.mark.parametrize("names, certificate, probed", [
    (["blog.example.com"], ["blog.example.com", "www.example.com", "*.example.com"], ["blog.example.com"]),
    (["blog.example.com", "192.0.2.1"], ["*.example.com", "192.0.2.1"], ["blog.example.com"]),
    (["example.com", "*.example.com"], ["example.com", "*.example.com"], ["any.example.com", "example.com"]),
    (["192.0.2.1"], ["192.0.2.1", "blog.example.com"], [None]),
])
def test_the_proxy_is_asked_by_the_names_of_the_site_only(host, names, certificate, probed):
    keeper = host.keeper(origin="provided", names=names, services=["nginx"])
    keeper.provide(given(*certificate))
    server = host.serve(keeper)
    assert not keeper.keep() and sorted(server.names, key=str) == probed
    keeper.store.install(given(*certificate))
    assert keeper.keep() and len(host.reloads()) == 1


def test_a_proxy_that_goes_on_with_the_old_one_is_a_failure(host, monkeypatch):
    keeper = host.keeper(services=["nginx"])
    keeper.provide()
    server = host.serve(keeper)
    monkeypatch.setattr(server, "load", lambda: None)
    monkeypatch.setattr(certificate_store.Proxy.load, "__defaults__", (0.5,))
    keeper.store.install(given())
    with pytest.raises(CertificateError) as raised:
        keeper.keep()
    assert "nginx was reloaded, and does not serve the new certificate: blog.example.com" in str(raised.value)
    assert host.report()["outcome"] == "failed"


def test_a_site_of_another_application_with_the_same_name_is_called_the_cause(host, tmp_path, monkeypatch):
    for name in ("a", "blog", "shop"):
        other = "shop" if name == "shop" else "blog"
        (tmp_path / name).write_text("server {\n    server_name www.x.com %s.example.com;\n}\n" % other)
    monkeypatch.setattr(nginx, "SITES", ("%s/*" % tmp_path,))
    said = certificate_store.Proxy(["nginx"], ["Blog.example.com"])._remedy()
    assert said == "%s/a and %s/blog are sites for Blog.example.com: remove all but one." % (tmp_path, tmp_path)
    assert certificate_store.Proxy(["nginx"], ["shop.example.com"])._remedy() == "See `journalctl -u nginx`."


def test_a_proxy_that_can_t_reload_is_a_failure(host):
    keeper = host.keeper(services=["nginx"])
    keeper.provide()
    host.serve(keeper)
    keeper.store.install(given())
    (host.fake / "refusal").write_text("nginx.service is not active")
    with pytest.raises(CertificateError, match="nginx can't load it: .*is not active"):
        keeper.keep()


def test_origins_can_be_changed_and_changed_back(host):
    keeper = host.keeper(**ACME)
    keeper.keep()
    issued = keeper.store.read()
    conf = host.folder / "letsencrypt/renewal/selfhost-blog.conf"
    pair = given()
    provided = host.keeper(origin="provided")
    assert provided.provide(pair) and keeper.store.read() == pair and "autorenew = False" in conf.read_text()
    assert not provided.provide(pair)
    assert host.keeper(days=30).lacks() is False  # what is provided is self-signed here, and for these names
    host.forget()
    assert keeper.keep() and keeper.store.read() == issued and host.asked() == []
    assert "autorenew" not in conf.read_text()


def test_a_move_to_acme_keeps_what_there_is_until_the_new_one_is_there(host):
    pair = given()
    host.keeper(origin="provided").provide(pair)
    (host.fake / "problem").write_text("down")
    keeper = host.keeper(**ACME)
    assert not keeper.provide()
    with pytest.raises(CertificateError):
        keeper.keep()
    assert keeper.store.read() == pair and host.report()["placeholder"]


def resolved(monkeypatch, **addresses):
    """getaddrinfo for these names alone."""
    usual = socket.getaddrinfo

    def find(name, port, *words, **options):
        if name[0].isdigit():
            return usual(name, port, *words, **options)
        if name.split(".")[0] not in addresses:
            raise OSError(-2, "Name or service not known")
        return [(2, 1, 6, "", (address, port)) for address in addresses[name.split(".")[0]]]

    monkeypatch.setattr(certificate_acme.socket, "getaddrinfo", find)


@pytest.fixture
def web(tmp_path):
    """A web server that serves a folder, and its port."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if not self.headers["Host"].startswith("moved"):
                return super().do_GET()
            self.send_response(301)
            self.send_header("Location", "http://127.0.0.1:%d%s" % (self.server.server_address[1], self.path))
            self.end_headers()

    folder = tmp_path / "state/acme"
    folder.mkdir(parents=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield str(folder), server.server_address[1]
    server.shutdown()


def test_names_that_lead_here_may_be_asked_for(web, monkeypatch):
    resolved(monkeypatch, blog=["127.0.0.1"], moved=["127.0.0.1"])
    certificate_acme.check_names(["blog.example.com", "moved.example.com"], *web)
    assert os.listdir(web[0] + "/" + certificate_acme.CHALLENGES) == []


def test_names_that_lead_elsewhere_are_named_with_what_to_do(web, monkeypatch):
    resolved(monkeypatch, blog=["127.0.0.1"], www=["127.0.0.1", "127.0.0.2"])
    with pytest.raises(CertificateError) as raised:
        certificate_acme.check_names(["blog.example.com", "www.example.com", "no.example.com"], *web)
    text = str(raised.value)
    assert "www.example.com resolves to 127.0.0.2" in text and "127.0.0.1," not in text.split("(")[0]
    assert "no.example.com does not resolve (Name or service not known)" in text
    assert "tls_reachability_check_enabled" in text


def test_another_server_is_not_taken_for_this_one(web, monkeypatch, tmp_path):
    resolved(monkeypatch, blog=["127.0.0.1"])
    with pytest.raises(CertificateError, match="port %d answers 404" % web[1]):
        certificate_acme.check_names(["blog.example.com"], str(tmp_path / "elsewhere"), web[1])


def test_the_program_is_complete_in_itself(host):
    path = host.root / "deployment/certificate.pyz"
    path.write_bytes(deployment_program.packed(program.MAIN))
    done = subprocess.run(
        ["/usr/bin/python3", "-I", str(path), str(host.root), "renew"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.endswith("deployment/certificate.json. Run `selfhost.flask.site`.\n")


def test_a_hook_finds_its_secrets_and_what_certbot_says(host):
    own = host.root / "deployment"
    (own / "certificate.pyz").write_bytes(deployment_program.packed(program.MAIN))
    (own / "dns-hook").write_text('#!/bin/sh\necho "$TOKEN $CERTBOT_DOMAIN"\n')
    (own / "dns-hook").chmod(0o700)
    (own / "dns-hook.json").write_text('{"TOKEN": "p%4$#\'\\"@/ :"}')
    command = ["/usr/bin/python3", "-I", str(own / "certificate.pyz"), str(host.root)]
    environment = dict(os.environ, CERTBOT_DOMAIN="example.com")
    add = subprocess.run(command + ["add"], env=environment, capture_output=True, text=True, check=False)
    assert (add.returncode, add.stdout) == (0, "p%4$#'\"@/ : example.com\n")
    remove = subprocess.run(command + ["remove"], env=environment, capture_output=True, text=True, check=False)
    assert (remove.returncode, remove.stdout) == (0, "")  # there is no script for it
