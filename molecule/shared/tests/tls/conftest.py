"""A site, an ACME server and a DNS; visitors look at the site from its first certificate to the last test."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import playbook
import pytest
from acme import BLOCKED, AcmeServer, Authority, Names, in_pem, install
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from machine import APP, TOP, Machine, machines, scenario_state

DOMAIN, ALIAS = "www.selfhost.test", "blog.selfhost.test"
UNIT = f"flask-{APP}-certificate"
FOLDER = f"/srv/{APP}/deployment"
DAYS = 90
PAGE = "/static/hello.txt"
PREPARE = """
mkdir -p "$1/releases/v1/.public/static" && ln -sfn releases/v1 "$1/current"
echo hello >"$1/current/.public/static/hello.txt"
"""
HOSTS = """
printf '127.0.0.1 localhost\\n::1 localhost\\n' >/etc/hosts
cat >>/etc/hosts
"""
LOGS = f"""
cat /var/lib/selfhost/tls/{APP}.json; journalctl --no-pager --lines 30 --output short-iso
tail -n 40 /var/log/letsencrypt/letsencrypt.log
"""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds the site's logs to a failure."""
    report = (yield).get_result()
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and site:
        report.sections.append(("the site", site.machine.inside(LOGS).stdout))


def any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Guests(playbook.Visitors):
    """Visitors of a static page under the site's name, each on a new connection: a reload may close an idle one."""

    def run(self) -> None:
        while not self.left.wait(playbook.PACE):
            try:
                self.answers.append({"text": self.page()})
            except (OSError, http.client.HTTPException) as error:
                self.problems.append(repr(error))

    def page(self) -> str:
        connection = http.client.HTTPSConnection(DOMAIN)
        with socket.create_connection((self.machine.address, 443), timeout=10) as plain:
            with any_certificate().wrap_socket(plain, server_hostname=DOMAIN) as connection.sock:
                connection.request("GET", PAGE)
                answer = connection.getresponse()
                if answer.status != 200:
                    raise http.client.HTTPException(f"{answer.status} {answer.reason}")
                return answer.read().decode()


@dataclass
class Site:
    """The site's host, and what its user's inventory says."""

    machine: Machine
    folder: Path  # of the user's own inventory variables
    guests: Guests

    def run(self, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """The roles, with what the user has set."""
        given = {"flask_domain": DOMAIN, "tls_acme_ca": str(self.folder / "ca.pem"), **variables}
        (self.folder / "variables.json").write_text(json.dumps(given))
        return playbook.run(
            str(TOP / "molecule/tls/site.yml"), "-e", f"@{self.folder / 'variables.json'}", *arguments
        )

    def done(self, *arguments: str, **variables: object) -> str:
        """The same, which has to work; what it said."""
        answer = self.run(*arguments, **variables)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return playbook.spoken(answer)

    def refused(self, *arguments: str, **variables: object) -> str:
        """The same, which has to fail; what it said."""
        answer = self.run(*arguments, **variables)
        assert answer.returncode == 2, answer.stdout + answer.stderr
        return playbook.spoken(answer)

    def served(self, name: str = DOMAIN) -> x509.Certificate:
        """The certificate that a visitor of a name gets."""
        with socket.create_connection((self.machine.address, 443), timeout=10) as plain:
            with any_certificate().wrap_socket(plain, server_hostname=name) as connection:
                return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))

    def names(self) -> list[str]:
        found = self.served().extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return sorted(found.value.get_values_for_type(x509.DNSName))

    def issuer(self) -> str:
        return self.served().issuer.rfc4514_string()

    def is_self_signed(self) -> bool:
        return self.served().issuer == self.served().subject

    def lead(self, **names: str) -> None:
        """What the host itself takes names for; the others are its own."""
        lines = [f"{names.get(name, self.machine.address)} {name}.selfhost.test" for name in ("www", "blog", *names)]
        lines.append(f"{self.machine.address} {BLOCKED}")
        assert self.machine.inside(HOSTS, stdin="\n".join(lines) + "\n").returncode == 0

    def look(self) -> subprocess.CompletedProcess[str]:
        """Runs the unit as its timer does."""
        return self.machine.inside(f"systemctl start {UNIT}")

    def journal(self) -> str:
        return self.machine.inside(f"journalctl --no-pager --output cat --lines 20 --unit {UNIT}").stdout

    def report(self) -> dict:
        return json.loads(self.machine.inside(f"cat /var/lib/selfhost/tls/{APP}.json").stdout)


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


@pytest.fixture(scope="session")
def hosts() -> dict[str, Machine]:
    return {machine.name: machine for machine in machines()}


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Who vouches for the ACME server, and for what the user provides."""
    return Authority.create()


@pytest.fixture(scope="session")
def names(hosts: dict[str, Machine]) -> Names:
    found = Names(hosts["tls-acme"], hosts["tls-site"].address)
    install(found.machine)
    found.start()
    return found


@pytest.fixture(scope="session")
def acme(hosts: dict[str, Machine], names: Names, authority: Authority) -> AcmeServer:
    """An ACME server that is down, until a test starts it."""
    server = AcmeServer(hosts["tls-acme"], "usual", 14000, DAYS * 24 * 3600)
    server.prepare(authority)
    return server


@pytest.fixture(scope="session")
def site(hosts: dict[str, Machine], authority: Authority) -> Site:
    machine, folder = hosts["tls-site"], scenario_state() / "user"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_text(in_pem(authority.certificate))
    assert machine.inside(PREPARE, f"/srv/{APP}").returncode == 0
    found = Site(machine, folder, Guests(machine))
    found.lead()
    return found
