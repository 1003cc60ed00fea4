"""One site and its certificates, in the order in which a user could have them."""

from __future__ import annotations

import time

import pytest
from acme import BLOCKED, AcmeServer, Authority, Names
from conftest import ALIAS, APP, DOMAIN, FOLDER, UNIT, Site, fingerprint
from machine import wait_for

LIFE = 20  # seconds that the other ACME server's certificates live
TOKEN = "osprey4711-'\"$ \\%"
ADD = """#!/bin/sh
# The provider's API: a token, and a record.
touch /etc/open 2>/dev/null && { echo "this is not the unit that renews"; exit 1; }
[ "$TOKEN" = "$EXPECTED" ] || { echo "the token is wrong"; exit 1; }
curl -sf -d "{\\"host\\": \\"_acme-challenge.$CERTBOT_DOMAIN.\\", \\"value\\": \\"$CERTBOT_VALIDATION\\"}" "$API/set-txt"
"""
REMOVE = """#!/bin/sh
curl -sf -d "{\\"host\\": \\"_acme-challenge.$CERTBOT_DOMAIN.\\"}" "$API/clear-txt" && touch /var/lib/selfhost/cleaned
"""


def by_acme(acme: AcmeServer, *aliases: str, **variables: object) -> dict[str, object]:
    """What an inventory says to have a certificate of this server."""
    return {"flask_tls": "letsencrypt", "tls_acme_directory": acme.directory, "flask_aliases": list(aliases), **variables}


def test_site_comes_up_while_the_acme_server_is_down(site: Site, acme: AcmeServer) -> None:
    said = site.refused(**by_acme(acme, ALIAS))
    assert f"{acme.directory} gave no certificate for {DOMAIN}, {ALIAS}" in said, said
    assert "refused" in said, said
    assert site.is_self_signed() and site.names() == [ALIAS, DOMAIN]
    site.guests.start()
    assert site.report()["outcome"] == "failed" and site.report()["placeholder"]


def test_name_that_leads_elsewhere_is_named_before_it_is_asked_for(
    site: Site, acme: AcmeServer
) -> None:
    acme.start()
    site.lead(astray=acme.machine.address)
    said = site.refused("--skip-tags", "base", **by_acme(acme, ALIAS, "astray.selfhost.test", "nowhere.selfhost.test"))
    assert f"astray.selfhost.test resolves to {acme.machine.address}, which is no address of this host" in said
    assert "nowhere.selfhost.test does not resolve" in said and "blog.selfhost.test leads" not in said
    assert acme.orders() == 0 and site.is_self_signed()


def test_certificate_of_an_old_installation_is_served_until_one_is_issued(
    site: Site, acme: AcmeServer, authority: Authority
) -> None:
    acme.stop()
    certificate, key = authority.issue(DOMAIN, ALIAS)
    said = site.refused("--skip-tags", "base", **by_acme(acme, ALIAS, lent={"certificate": certificate, "key": key}))
    assert f"{acme.directory} gave no certificate" in said, said
    assert "An authority of the tests" in site.issuer() and site.names() == [ALIAS, DOMAIN]
    assert site.report()["placeholder"]
    acme.start()


def test_certificate_is_issued_and_served(site: Site, acme: AcmeServer) -> None:
    site.done("--skip-tags", "base", **by_acme(acme, ALIAS))
    assert "Pebble" in site.issuer() and site.names() == [ALIAS, DOMAIN]
    assert fingerprint(site.served(ALIAS)) == fingerprint(site.served())
    report = site.report()
    assert (report["outcome"], report["origin"], report["placeholder"]) == ("ok", "letsencrypt", False)
    assert report["fingerprint"] == fingerprint(site.served())


def test_second_run_and_the_timer_ask_for_nothing(site: Site, acme: AcmeServer) -> None:
    orders, before = acme.orders(), fingerprint(site.served())
    said = site.done("--skip-tags", "base", **by_acme(acme, ALIAS))
    assert "changed=0" in said
    assert site.look().returncode == 0, site.journal()
    assert acme.orders() == orders > 0 and fingerprint(site.served()) == before
    assert site.machine.inside(f"systemctl is-active {UNIT}.timer").stdout == "active\n"


def test_files_are_root_s_and_the_key_is_nobody_else_s(site: Site) -> None:
    stat = f"stat -L -c '%U %G %a %n' /etc/ssl/selfhost/{APP}.* /var/lib/selfhost/tls/*.json /var/lib/selfhost/acme"
    assert site.machine.inside(stat).stdout.splitlines() == [
        f"root root 600 /etc/ssl/selfhost/{APP}.key",
        f"root root 644 /etc/ssl/selfhost/{APP}.pem",
        f"root root 644 /var/lib/selfhost/tls/{APP}.json",
        "root root 755 /var/lib/selfhost/acme",
    ]


def test_names_that_come_and_go_are_in_the_certificate(site: Site, acme: AcmeServer) -> None:
    site.lead(shop=site.machine.address)
    site.done("--skip-tags", "base", **by_acme(acme, "shop.selfhost.test"))
    assert site.names() == ["shop.selfhost.test", DOMAIN]


def test_server_s_refusal_is_the_message_and_changes_nothing(site: Site, acme: AcmeServer) -> None:
    before = fingerprint(site.served())
    said = site.refused("--skip-tags", "base", **by_acme(acme, BLOCKED))
    assert f"{acme.directory} gave no certificate for {DOMAIN}, {BLOCKED}" in said
    assert "policy" in said.lower()
    assert fingerprint(site.served()) == before


def test_challenge_that_fails_is_the_message(site: Site, acme: AcmeServer, names: Names) -> None:
    before = fingerprint(site.served())
    names.lead(ALIAS, acme.machine.address)
    said = site.refused("--skip-tags", "base", **by_acme(acme, ALIAS))
    names.lead_back(ALIAS)
    assert f"Domain: {ALIAS}" in said and "Detail: " in said
    assert fingerprint(site.served()) == before
    assert site.report()["outcome"] == "failed" and ALIAS in site.report()["message"]
    assert site.look().returncode == 0, site.journal()  # it tries again
    assert site.names() == [ALIAS, DOMAIN] and site.report()["outcome"] == "ok"


def test_certificate_that_certbot_renewed_is_served(site: Site) -> None:
    before = fingerprint(site.served())
    renew = f"REQUESTS_CA_BUNDLE={FOLDER}/acme-ca.pem certbot renew --cert-name selfhost-{APP} --force-renewal --no-random-sleep-on-renew"
    done = site.machine.inside(renew)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: fingerprint(site.served()) != before, "the certificate that certbot renewed")
    certbots_own = site.machine.inside("certbot renew --no-random-sleep-on-renew").stdout
    assert "not yet due for renewal" in certbots_own or "No renewals were attempted" in certbots_own


def test_wildcard_is_granted_through_the_user_s_hook(site: Site, acme: AcmeServer, names: Names) -> None:
    (site.folder / "remove.sh").write_text(REMOVE)
    environment = {"TOKEN": TOKEN, "EXPECTED": TOKEN, "API": names.control}
    hooks = {"tls_dns_hook": ADD, "tls_dns_cleanup_hook": str(site.folder / "remove.sh")}
    aliases = ("selfhost.test", "*.selfhost.test")
    said = site.done("--skip-tags", "base", "--diff", **by_acme(acme, *aliases, **hooks, tls_dns_hook_env=environment))
    assert site.names() == ["*.selfhost.test", "selfhost.test"] and TOKEN[:10] not in said
    modes = site.machine.inside(f"stat -c '%U %a' {FOLDER}/dns-hook.json {FOLDER}/dns-hook {FOLDER}").stdout
    assert modes.splitlines() == ["root 600", "root 700", "root 700"]
    assert site.machine.inside("ls /var/lib/selfhost/cleaned").returncode == 0
    leaks = "grep -rl osprey4711 /etc /var/lib /var/log /srv/*/releases || true; journalctl | grep osprey4711 || true"
    assert site.machine.inside(leaks).stdout == ""
    site.machine.inside("rm /var/lib/selfhost/cleaned")


def test_provided_certificate_is_checked_before_anything_is_touched(site: Site, authority: Authority) -> None:
    before, (certificate, key), (_, other) = fingerprint(site.served()), authority.issue(DOMAIN), authority.issue(DOMAIN)
    told = site.machine.inside(f"cat {FOLDER}/certificate.json").stdout
    for given, message in (
        ({"tls_certificate": certificate, "tls_key": other}, "The key is not the certificate's"),
        ({"tls_certificate": "none.pem", "tls_key": key}, "There is no file"),
    ):
        said = site.refused("--skip-tags", "base", flask_tls="provided", **given)
        assert message in said and "PRIVATE KEY" not in said
    assert fingerprint(site.served()) == before
    assert site.machine.inside(f"cat {FOLDER}/certificate.json").stdout == told


def test_provided_certificate_is_served(site: Site, authority: Authority) -> None:
    certificate, key = authority.issue("*.selfhost.test", "of-another-site.test")
    (site.folder / "certificate.pem").write_text(certificate)
    provided = {"tls_certificate": str(site.folder / "certificate.pem"), "tls_key": key}
    said = site.done("--skip-tags", "base", "--diff", flask_tls="provided", **provided)
    assert site.issuer() == "CN=An authority of the tests" and "PRIVATE KEY" not in said
    assert "changed=0" in site.done("--skip-tags", "base", flask_tls="provided", **provided)


def test_self_signed_certificate_is_served_again(site: Site) -> None:
    site.done("--skip-tags", "base", flask_tls="self_signed")
    assert site.is_self_signed() and site.names() == [DOMAIN]


@pytest.fixture(scope="module")
def hasty(acme: AcmeServer, authority: Authority) -> AcmeServer:
    """Another ACME server, whose certificates live so short that they are due while the test runs."""
    server = AcmeServer(acme.machine, "hasty", 14100, LIFE)
    server.prepare(authority)
    server.start()
    return server


def is_due(site: Site) -> bool:
    certificate = site.served()
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return end - time.time() < (end - begin) / 2


def test_certificate_is_renewed_when_half_of_its_short_life_is_over(site: Site, hasty: AcmeServer) -> None:
    site.done("--skip-tags", "base", **by_acme(hasty))
    assert "Pebble" in site.issuer() and site.names() == [DOMAIN]
    orders, before = hasty.orders(), fingerprint(site.served())
    assert orders == 1
    wait_for(lambda: is_due(site), "a certificate that is due", seconds=2 * LIFE)
    assert site.look().returncode == 0, site.journal()
    assert hasty.orders() == 2 and fingerprint(site.served()) != before
    report = site.report()
    assert report["fingerprint"] == fingerprint(site.served()) and report["message"] == "Renewed."


def test_renewal_that_fails_leaves_the_certificate_and_a_failed_unit(site: Site, hasty: AcmeServer) -> None:
    before = fingerprint(site.served())
    hasty.stop()
    wait_for(lambda: is_due(site), "a certificate that is due", seconds=2 * LIFE)
    assert site.look().returncode != 0
    assert site.machine.inside(f"systemctl is-failed {UNIT}").stdout == "failed\n"
    assert f"{hasty.directory} gave no certificate for {DOMAIN}" in site.journal()
    assert fingerprint(site.served()) == before and site.report()["outcome"] == "failed"


def test_every_visitor_was_answered(site: Site) -> None:
    site.guests.left.set()
    site.guests.join(timeout=30)
    assert site.guests.problems == [] and len(site.guests.answers) > 100
