# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate and its key: what they say, whether they belong together, and when to have a new one."""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import os
import re
import ssl
import subprocess
import time
from typing import NamedTuple

BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)
SHORT = 10 * 24 * 3600  # seconds; a certificate that lives no longer is renewed at half of its life
SELF_SIGNED = """\
[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
[subject]
CN = %(common_name)s
[extensions]
subjectAltName = %(names)s
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
"""


class CertificateError(Exception):
    """What is wrong with a certificate, or why there is no new one."""


class Facts(NamedTuple):
    """What a certificate says of itself."""

    names: tuple
    not_before: float
    not_after: float
    subject: str
    issuer: str
    fingerprint: str

    @property
    def life(self) -> float:
        return self.not_after - self.not_before

    @property
    def reserve(self) -> float:
        """Seconds before its end at which there should be a new one: a third of its life, half of a short one."""
        return self.life / (2 if self.life <= SHORT else 3)

    def is_due(self, now: float) -> bool:
        return self.not_after - now < self.reserve

    def is_late(self, now: float) -> bool:
        """Whether half of the time for a renewal has gone by without one."""
        return self.not_after - now < self.reserve / 2

    def ends(self) -> str:
        return moment(self.not_after)


class Pair(NamedTuple):
    """A certificate, which may be followed by its chain, and its key."""

    certificate: str
    key: str

    def facts(self) -> Facts:
        return facts_of(self.certificate)


def moment(seconds: float) -> str:
    """A time as a person and a program read it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def openssl(*words: str, data: str) -> str:
    """What openssl makes of its input; no secret is in its arguments."""
    environment = dict(os.environ, LC_ALL="C")
    try:
        done = subprocess.run(
            ("openssl",) + words, input=data.encode(), capture_output=True, env=environment, check=False
        )
    except OSError as error:
        raise CertificateError("openssl can't be run: %s. Install it." % error.strerror) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CertificateError("openssl %s: %s" % (words[0], said[-1] if said else "exit code %d" % done.returncode))
    return done.stdout.decode("utf-8", "replace")


def blocks(text: str) -> list:
    """The certificates of a file, the site's own first."""
    return BLOCK.findall(text)


@functools.lru_cache(maxsize=32)
def facts_of(text: str) -> Facts:
    """CertificateError where a text has no certificate."""
    found = blocks(text)
    if not found:
        raise CertificateError(
            "There is no certificate in it, no -----BEGIN CERTIFICATE-----. Set tls_certificate to one in PEM format."
        )
    said = openssl("x509", "-noout", "-subject", "-issuer", "-dates", "-text", data=found[0])
    values = dict(line.split("=", 1) for line in said.splitlines() if re.match(r"(subject|issuer|not\w+)=", line))
    names = re.search(r"X509v3 Subject Alternative Name:.*\n\s+(.*)\n", said)
    return Facts(
        names=tuple(named(word) for word in names.group(1).split(",")) if names else (),
        not_before=ssl.cert_time_to_seconds(values["notBefore"]),
        not_after=ssl.cert_time_to_seconds(values["notAfter"]),
        subject=values["subject"].strip(),
        issuer=values["issuer"].strip(),
        fingerprint=hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0])).hexdigest(),
    )


def named(word: str) -> str:
    """A name as openssl shows it: DNS:blog.example.com, IP Address:2001:DB8:0:0:0:0:0:1."""
    kind, dummy, name = word.strip().partition(":")
    return plain(name) if kind in ("DNS", "IP Address") else ""


def plain(name: str) -> str:
    """A name in the one form that names are compared in."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def is_address(name: str) -> bool:
    """Whether a site has an address instead of a name."""
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def covers(pattern: str, name: str) -> bool:
    """Whether a name of a certificate is good for a name of the site: a wildcard is for one label."""
    pattern, name = plain(pattern), plain(name)
    return pattern == name or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])


def uncovered(facts: Facts, names: list) -> list:
    """The names that a certificate is not good for."""
    return [name for name in names if not any(covers(pattern, name) for pattern in facts.names)]


def without_redundant(names: list) -> list:
    """Names without those that a wildcard among them is good for: an ACME server refuses both together."""
    wildcards = [name for name in names if name.startswith("*.")]
    return [name for name in names if name in wildcards or not any(covers(wild, name) for wild in wildcards)]


def has_names(facts: Facts, names: list) -> bool:
    """Whether a certificate is for these names and no other; addresses beside them are the host's own."""
    asked = {plain(name) for name in names}
    return asked <= set(facts.names) and all(is_address(name) for name in set(facts.names) - asked)


def public_key(key: str) -> str:
    """The public half of a key; CertificateError where it can't be read."""
    try:
        return openssl("pkey", "-pubout", "-passin", "pass:", data=key)
    except CertificateError as error:
        if "ENCRYPTED" in key:
            raise CertificateError(
                "The key is protected by a passphrase, which a server can't type. Remove it: `openssl pkey -in KEY "
                "-out NEW`."
            ) from None
        raise CertificateError("The key can't be read. Set tls_key to a private key in PEM format.") from error


@functools.lru_cache(maxsize=32)
def belongs(pair: Pair) -> bool:
    """Whether a key is a certificate's."""
    certificate = openssl("x509", "-noout", "-pubkey", data=blocks(pair.certificate)[0])
    return certificate.split() == public_key(pair.key).split()


def misplaced(certificate: str) -> str:
    """The first certificate of a chain that is not the issuer of the one before it."""
    chain = [facts_of(block) for block in blocks(certificate)]
    for before, facts in zip(chain, chain[1:]):
        if before.issuer != facts.subject:
            return facts.subject
    return ""


def check(pair: Pair, names: list, now: float) -> Facts:
    """What a pair says; CertificateError where a visitor of these names would be warned, or a server refuse it."""
    facts = pair.facts()
    if not belongs(pair):
        raise CertificateError(
            "The key is not the certificate's. Put the site's own certificate first into its file, or set tls_key to its key."
        )
    missing = uncovered(facts, names)
    if missing:
        known = ", ".join(name for name in facts.names if name) or "no name at all"
        raise CertificateError(
            "The certificate is for %s, and not for %s. Get one for all names of the site." % (known, ", ".join(missing))
        )
    if now >= facts.not_after:
        raise CertificateError("The certificate expired on %s. Get a new one." % facts.ends())
    if now < facts.not_before:
        raise CertificateError(
            "The certificate is not valid before %s. Check the clocks, or wait until then." % moment(facts.not_before)
        )
    stray = misplaced(pair.certificate)
    if stray:
        raise CertificateError(
            "In the chain, %s is not the issuer of the certificate before it. Put each issuer after what it has signed."
            % stray
        )
    return facts


def self_signed(names: list, addresses: list, days: int) -> Pair:
    """A new certificate that nobody but its visitors can vouch for, and its key."""
    unique = dict.fromkeys(plain(name) for name in names + addresses)
    listed = ["%s:%s" % ("IP" if is_address(name) else "DNS", name) for name in unique]
    settings = SELF_SIGNED % dict(common_name=names[0][:64], names=",".join(listed))
    made = openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
        "-days", str(days), "-config", "/dev/stdin", "-keyout", "-", "-out", "-", data=settings,
    )
    certificate = blocks(made)[0] + "\n"
    return Pair(certificate, made.replace(certificate, ""))


def is_self_signed(facts: Facts) -> bool:
    return facts.subject == facts.issuer
