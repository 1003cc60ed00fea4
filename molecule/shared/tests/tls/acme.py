"""An ACME server and the DNS that it asks, on a host of their own: pebble and pebble-challtestsrv."""

from __future__ import annotations

import datetime
import ipaddress
import json
from dataclasses import dataclass

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from machine import Machine, wait_for

BLOCKED = "blocked.test"
HOUR = datetime.timedelta(hours=1)
INSTALL = """
# The image has it in its cache; the lists are fetched only where that is too old.
export DEBIAN_FRONTEND=noninteractive
get="apt-get install -q -y --no-install-recommends pebble"
dpkg -s pebble >/dev/null 2>&1 || $get || { apt-get update -q && $get; }
"""
START = """
systemctl stop "$1" 2>/dev/null || true
systemctl reset-failed "$1" 2>/dev/null || true
unit=$1; shift
exec systemd-run --quiet --unit "$unit" --setenv PEBBLE_VA_NOSLEEP=1 --setenv PEBBLE_WFE_NONCEREJECT=0 \
    --setenv PEBBLE_AUTHZREUSE=0 "$@"
"""


def make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def in_pem(thing: ec.EllipticCurvePrivateKey | x509.Certificate) -> str:
    """A key or a certificate as a file has it."""
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM).decode()
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return thing.private_bytes(serialization.Encoding.PEM, form, plain).decode()


@dataclass
class Authority:
    """A CA of the test's own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls) -> Authority:
        key = make_key()
        name = x509.Name.from_rfc4514_string("CN=An authority of the tests")
        return cls(key, cls._signed(name, name, key, key, authority=True))

    @staticmethod
    def _signed(
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        *names: x509.GeneralName,
        authority: bool = False,
        days: int = 90,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - HOUR - datetime.timedelta(days=max(0, -days) + 1))
        builder = builder.not_valid_after(now - HOUR + datetime.timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256())

    def issue(self, *names: str, days: int = 90) -> tuple[str, str]:
        """A certificate with its chain, and its key."""
        key = make_key()
        subject = x509.Name.from_rfc4514_string("CN=A site of the tests")
        certificate = self._signed(
            subject, self.certificate.subject, key, self.key, *map(general_name, names), days=days
        )
        return in_pem(certificate) + in_pem(self.certificate), in_pem(key)


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class AcmeServer:
    """pebble, with certificates that live so long, at a port of its own."""

    def __init__(self, machine: Machine, name: str, port: int, seconds: int) -> None:
        self.machine = machine
        self.unit = f"pebble-{name}"
        self.port = port
        self.seconds = seconds
        self.directory = f"https://{machine.address}:{port}/dir"

    def prepare(self, authority: Authority) -> None:
        """Writes its settings."""
        certificate, key = authority.issue(self.machine.address)
        folder = f"/etc/{self.unit}"
        settings = {
            "listenAddress": f"0.0.0.0:{self.port}",
            "managementListenAddress": f"0.0.0.0:{self.port + 1}",
            "certificate": f"{folder}/certificate.pem",
            "privateKey": f"{folder}/key.pem",
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "domainBlocklist": [BLOCKED],
            "retryAfter": {"authz": 1, "order": 1},
            "certificateValidityPeriod": self.seconds,
        }
        files = {"certificate.pem": certificate, "key.pem": key, "settings.json": json.dumps({"pebble": settings})}
        for name, text in files.items():
            write = 'mkdir -p "$1" && cat >"$1/$2"'
            assert self.machine.inside(write, folder, name, stdin=text).returncode == 0

    def start(self) -> None:
        command = ["pebble", "-config", f"/etc/{self.unit}/settings.json", "-dnsserver", "127.0.0.1:53"]
        done = self.machine.inside(START, self.unit, *command)
        assert done.returncode == 0, done.stderr
        wait_for(self._answers, f"{self.unit} at {self.directory}")

    def _answers(self) -> bool:
        return requests.get(self.directory, verify=False, timeout=5).ok

    def stop(self) -> None:
        assert self.machine.inside('systemctl stop "$1"', self.unit).returncode == 0

    def log(self) -> str:
        return self.machine.inside('journalctl --no-pager --output cat --unit "$1"', self.unit).stdout

    def orders(self) -> int:
        """How often it was asked for a certificate."""
        return self.log().count("/order-plz -> calling handler()")


class Names:
    """The DNS that the ACME server asks: all names lead to the site but those that were led elsewhere."""

    def __init__(self, machine: Machine, site: str) -> None:
        self.machine = machine
        self.site = site
        self.control = f"http://{machine.address}:8055"

    def start(self) -> None:
        command = [
            *("pebble-challtestsrv", "-dns01", ":53", "-defaultIPv4", self.site, "-defaultIPv6", ""),
            *("-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""),
        ]
        done = self.machine.inside(START, "challtestsrv", *command)
        assert done.returncode == 0, done.stderr
        wait_for(lambda: requests.post(f"{self.control}/clear-a", json={"host": "x."}, timeout=5), "challtestsrv")

    def lead(self, name: str, address: str) -> None:
        about = {"host": f"{name}.", "addresses": [address]}
        requests.post(f"{self.control}/add-a", json=about, timeout=5).raise_for_status()

    def lead_back(self, name: str) -> None:
        requests.post(f"{self.control}/clear-a", json={"host": f"{name}."}, timeout=5).raise_for_status()


def install(machine: Machine) -> None:
    done = machine.inside(INSTALL)
    assert done.returncode == 0, done.stderr
