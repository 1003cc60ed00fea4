# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at TLS from outside: the certificate, and which versions of the protocol are spoken."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import ssl
import tempfile
import time
import warnings
from typing import Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import seen

SOON_SHARE, SOON_DAYS = 0.2, 21  # of the life; whichever is less
DAY = 86400
VERSIONS = ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3")
ACCEPTED = {"modern": ("TLSv1_3",), "intermediate": ("TLSv1_2", "TLSv1_3")}
SHOWN = {"TLSv1": "TLS 1.0", "TLSv1_1": "TLS 1.1", "TLSv1_2": "TLS 1.2", "TLSv1_3": "TLS 1.3"}
RENEW = {
    "self_signed": "Run `selfhost.flask.site`, which makes a new one.",
    "letsencrypt": "Run `selfhost.flask.site`, and see `systemctl list-timers` for what renews it.",
    "provided": "Put a new one into the inventory, and run `selfhost.flask.site`.",
}


class Certificate(NamedTuple):
    """What a certificate says."""

    names: tuple
    begins: float
    ends: float
    issuer: str
    self_signed: bool
    fingerprint: str


def handshake(address: str, domain: str, version: str = "", timeout: float = 5) -> ssl.SSLSocket:
    """A connection that takes any certificate; with one version of the protocol alone where that is named."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    return wrapped(context, address, domain, timeout)


def wrapped(context: ssl.SSLContext, address: str, domain: str, timeout: float) -> ssl.SSLSocket:
    connection = socket.create_connection((address, 443), timeout)
    try:
        return context.wrap_socket(connection, server_hostname=domain)
    except BaseException:
        connection.close()
        raise


def read_certificate(der: bytes) -> Certificate:
    """Decodes it by what Python has for its own tests: a connection that verifies nothing decodes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "certificate.pem")
        with open(path, "w", encoding="ascii") as file:
            file.write(ssl.DER_cert_to_PEM_cert(der))
        found = ssl._ssl._test_decode_cert(path)
    return Certificate(
        names=tuple(name for kind, name in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address")),
        begins=ssl.cert_time_to_seconds(found["notBefore"]),
        ends=ssl.cert_time_to_seconds(found["notAfter"]),
        issuer=", ".join(value for part in found.get("issuer", ()) for dummy, value in part),
        self_signed=found.get("issuer") == found.get("subject"),
        fingerprint=hashlib.sha256(der).hexdigest(),
    )


def covers(names: tuple, wanted: str) -> bool:
    """Whether one of a certificate's names stands for a host name or an address."""
    try:
        address = ipaddress.ip_address(wanted.strip("[]"))
        return any(_is_address(name, address) for name in names)
    except ValueError:
        pass
    wanted = wanted.lower().rstrip(".")
    lowered = {name.lower() for name in names}
    wildcard = "*." + wanted.partition(".")[2]
    return wanted in lowered or (wildcard in lowered and "." in wanted)


def _is_address(name: str, address: object) -> bool:
    try:
        return ipaddress.ip_address(name.strip()) == address
    except ValueError:
        return False


def certificate(found: Certificate, tls: str, names: list, now: float) -> Iterator[Finding]:
    """Its time, its names, and who has signed it."""
    left, life = found.ends - now, found.ends - found.begins
    end = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found.ends))
    remedy = RENEW.get(tls, RENEW["provided"])
    if left < 0:
        said = "The certificate expired at %s, %s ago." % (end, count_of(int(-left // DAY), "day"))
        yield seen("certificate-expired", said, remedy)
    elif found.begins > now + 300:
        begin = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found.begins))
        said = "The certificate is valid only from %s on." % begin
        yield seen("certificate-not-yet-valid", said, "See whether the clocks are right.")
    elif left < min(SOON_SHARE * life, SOON_DAYS * DAY):
        share = 100 * left / life
        days = count_of(int(left // DAY), "day")
        said = "The certificate expires at %s, in %s: %d %% of its life is left." % (end, days, share)
        yield seen("certificate-expires-soon", said, remedy)
    missing = [name for name in names if not covers(found.names, name)]
    if missing:
        have = ", ".join(found.names[:8]) or "none"
        yield seen("certificate-names", "The certificate is not for %s; its names are %s." % (", ".join(missing), have), remedy)
    if tls == "letsencrypt" and found.self_signed:
        yield seen(
            "certificate-self-signed", "The certificate is still the one that the host has signed itself.",
            "Run `selfhost.flask.site` and read what it says of the certificate: the name has to lead to the host's port 80.",
        )


def trust(address: str, domain: str) -> Iterator[Finding]:
    """Whether this computer's authorities vouch for it; they do for none that the host has signed itself."""
    try:
        wrapped(ssl.create_default_context(), address, domain, 5).close()
    except ssl.SSLCertVerificationError as error:
        yield seen(
            "certificate-untrusted", "Browsers warn of the certificate: %s." % error.verify_message,
            "See that the file has the whole chain, the leaf first, and an authority that browsers know. A certificate of "
            "your own is right for flask_tls: self_signed.",
        )
    except (OSError, ValueError):
        return  # another check says so


def accepted(address: str, domain: str) -> dict:
    """Which versions are spoken: True, False, or None where this computer can't ask."""
    return {version: speaks(address, domain, version) for version in VERSIONS}


def speaks(address: str, domain: str, version: str) -> bool | None:
    try:
        handshake(address, domain, version).close()
        return True
    except ssl.SSLError as error:
        return None if error.reason in ("NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL_VERSION") else False
    except ValueError:
        return None  # this computer's own settings forbid it
    except OSError:
        return False if version in VERSIONS[:2] else None


def versions(spoken: dict, profile: str, show: str) -> Iterator[Finding]:
    """Compares them with the profile; `show` is the command that shows where they are set."""
    remedy = "Run `selfhost.flask.site`; look with `%s` for another setting of TLS." % show
    old = [SHOWN[version] for version in VERSIONS[:2] if spoken.get(version)]
    if old:
        yield seen("tls-old-version", "The proxy speaks %s, which is broken." % " and ".join(old), remedy)
    wanted = ACCEPTED.get(profile, VERSIONS[2:])
    more = [SHOWN[version] for version in VERSIONS[2:] if spoken.get(version) and version not in wanted]
    less = [SHOWN[version] for version in wanted if spoken.get(version) is False]
    if more or less:
        said = ["speaks " + " and ".join(more)] if more else []
        said += ["refuses " + " and ".join(less)] if less else []
        yield seen("tls-profile", "The proxy %s, which is not flask_tls_profile %s." % (" and ".join(said), profile), remedy)
