"""The doctor without Ansible: the same code, the inside of it as a program on the host."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import findings as doctor
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import outside as doctor_outside
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import exposure, web
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.serving import lock_finding
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from faults import CERTIFICATE, KEPT, LOG
from machine import APP, ROOT, Machine

exposure.SCAN, web.TIMEOUT = 0.3, 3  # seconds; the host is near
MAIN = f"""import json, sys
from {program.PACKAGE}.doctor.inside import Inside, Settings
json.dump(Inside(Settings(**json.load(sys.stdin))).examine(), sys.stdout)
"""
INSIDE = dict(
    name=APP, root=ROOT, log=LOG, certificate=CERTIFICATE + ".pem", key=CERTIFICATE + ".key", health_url="/healthz",
    workers=["ticker"], brief=True,
)
KEEP = f"mkdir -p {KEPT}/served && cp -a /etc/ssl/selfhost/* {KEPT}/served/ && cp -a /etc/nginx {KEPT}/"
# What the logs say, and how often something ended, is forgotten.
QUIET = f"touch {ROOT}/slots/*.fingerprint; for f in {LOG}/*.log /var/log/nginx/{APP}.error.log; do : >$f; done"
DAYS = dict(
    expired=(-100, -2), soon=(-80, 5), future=(1, 90), other=(-1, 90), fresh=(-1, 90), foreign=(-1, 90),
)


def certificates(name: str) -> Iterator[tuple[str, str]]:
    """(file, content) of a certificate and its key for each fault."""
    now = datetime.now(timezone.utc)
    for kind, (begin, end) in DAYS.items():
        key, named = ec.generate_private_key(ec.SECP256R1()), "other.example" if kind == "other" else name
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, named)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")]) if kind == "foreign" else subject
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begin)).not_valid_after(now + timedelta(days=end))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(named)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        yield f"{kind}.pem", made.public_bytes(serialization.Encoding.PEM).decode()
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        yield f"{kind}.key", key.private_bytes(serialization.Encoding.PEM, *private).decode()


def done(machine: Machine, script: str, *words: str, stdin: str = "") -> str:
    """What a script on the host says; it has to work."""
    answer = machine.inside(script, *words, stdin=stdin)
    assert answer.returncode == 0, f"{script}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


@pytest.fixture(scope="session")
def patient(machine: Machine) -> Machine:
    """The host, with what its faults need."""
    done(machine, KEEP)
    files = dict(certificates(machine.name), **{"doctor.pyz": program.packed(MAIN).hex()})
    script = "import json, pathlib, sys\nfor name, text in json.load(sys.stdin).items():\n" \
        "    path = pathlib.Path(sys.argv[1], name)\n" \
        "    path.write_bytes(bytes.fromhex(text) if name.endswith('pyz') else text.encode())\n"
    done(machine, 'python3 -c "$1" "$2"', script, KEPT, stdin=json.dumps(files))
    done(machine, f"python3 -m zipfile -e {KEPT}/doctor.pyz {KEPT}/program")  # Python compiles it only once there
    return machine


@pytest.fixture
def examine(patient: Machine) -> Callable:
    """The findings on the host, by the rules of a fault."""

    def examine(inside: dict, outside: dict, ignored: tuple = ("journal-errors",)) -> list:
        options = dict(address=patient.address, domain=patient.name, health_url="/healthz", ssh_user="deploy")
        target = Target(**{**options, **outside})
        settings = json.dumps({**INSIDE, "host": patient.name, **inside})

        def look() -> dict:
            return json.loads(done(patient, f"exec python3 -I {KEPT}/program", stdin=settings))

        findings, _, looked = doctor_outside.together(doctor_outside.Outside(target), look)
        held = looked["facts"].get("lock")
        findings += [lock_finding(held, False, looked["facts"]["lock_path"])] if held else []
        found = [doctor.restored(one) for one in looked["findings"]] + findings
        return doctor.settle(found, ignored)

    return examine
