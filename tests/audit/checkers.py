"""One function for each checker: it runs it, keeps what it said, and yields rows for the table."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from host import Host
from tools import CACHE, from_debian, from_npm, from_pypi, run, version_of, without_proxies

SSH_POLICY = "Hardened Debian 12 (version 3)"
NO_POST_QUANTUM = "does not provide protection against post-quantum attacks"
LYNIS_INDEX = 80
OPENSCAP_SCORE = 90
EXPOSURE = 3.0
PROXY_UNITS = ("nginx.service", "supervisor.service")
OTHER_UNITS = ("mariadb.service", "mysql.service", "fail2ban.service", "ssh.service", "cron.service")
OPENSCAP_CONTENT = "ssg-debian12-ds.xml"

# A test host has its machine's kernel, whose settings and audit log are not its own.
RULES_OF_THE_KERNEL = """
    service_auditd_enabled sysctl_fs_protected_hardlinks sysctl_fs_protected_symlinks sysctl_fs_suid_dumpable
    sysctl_kernel_randomize_va_space
""".split()


@dataclass(frozen=True)
class Row:
    """One line of the table, and what its reader asks next."""

    checker: str
    version: str
    required: str
    figure: str
    okay: bool | None  # None: no requirement
    findings: list[str] = field(default_factory=list)


def keep(host: Host, name: str, text: str) -> str:
    """Writes down what a checker said."""
    folder = host.state / "said"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return text


SSH_AUDIT = """
folder=$(mktemp -d /root/audit.XXXXXX); cd "$folder"; tar -xz --no-same-owner
check() { python3 -m ssh_audit.ssh_audit --no-colors --skip-rate-test --port PORT "$@" 127.0.0.1 2>&1 || [ $? -le 3 ]; }
check -P 'POLICY'; echo ----; check --json; rm -rf "$folder"
"""


def ssh_audit(host: Host) -> Iterator[Row]:
    """It connects more often than the firewall lets a stranger, so it runs on the host."""
    version = version_of("ssh-audit")
    package = next(from_pypi("ssh-audit").parent.glob("lib/*/site-packages/ssh_audit"))
    script = SSH_AUDIT.replace("PORT", str(host.ssh_port)).replace("POLICY", SSH_POLICY)
    policy, _, plain = host.run(script, packed(package)).partition("\n----\n")
    keep(host, "ssh-audit-policy.txt", policy)
    passed = "Passed" in policy
    differences = re.findall(r"^  \* (.*)\.$", policy, re.MULTILINE)
    yield Row("ssh-audit policy", version, SSH_POLICY, "passed" if passed else "failed", passed, differences)
    yield ssh_algorithms(version, json.loads(keep(host, "ssh-audit.json", plain)))


def ssh_algorithms(version: str, said: dict) -> Row:
    """Debian 12 has one key exchange against quantum computers, and the policy wants the others, too."""
    found: dict[str, list[str]] = {"fail": [], "warn": []}
    for kind in ("kex", "key", "enc", "mac"):
        for algorithm in said[kind]:
            for grade, notes in found.items():
                words = [word for word in algorithm.get("notes", {}).get(grade, []) if word != NO_POST_QUANTUM]
                notes += [f"{grade}: {algorithm['algorithm']}: {word}" for word in words]
    figure = f"{len(found['fail'])} fail, {len(found['warn'])} warn"
    findings = found["fail"] + found["warn"]
    return Row("ssh-audit", version, "0 fail, 0 warn (not counting post-quantum)", figure, not findings, findings)


def sslyze(host: Host) -> Iterator[Row]:
    yield sslyze_profile(host, "intermediate")
    if host.own:
        host.use_profile("modern")
        try:
            yield sslyze_profile(host, "modern")
        finally:
            host.use_profile("intermediate")


def sslyze_profile(host: Host, profile: str) -> Row:
    said = run(
        *(from_pypi("sslyze") / "sslyze", "--mozilla_config", profile, "--sni", host.site),
        *("--certinfo_ca_file", host.authority, f"{host.address}:443"),
        env=without_proxies(), okay=(0, 1),
    )
    keep(host, f"sslyze-{profile}.txt", said)
    verdict = said.partition("COMPLIANCE AGAINST")[2]
    compliant = "OK - Compliant" in verdict
    reasons = re.findall(r"^ +\* (.*)$", verdict, re.MULTILINE)
    figure = "compliant" if compliant else f"{len(reasons)} differences"
    return Row("sslyze", version_of("sslyze"), f"Mozilla's {profile}", figure, compliant, reasons)


def testssl(host: Host) -> Iterator[Row]:
    root = from_debian()
    report = host.state / "said/testssl.json"
    report.parent.mkdir(exist_ok=True)
    said = run(
        *("bash", root / "usr/bin/testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"),
        *("--ip", host.address, "--add-ca", host.authority, "--overwrite", "--jsonfile-pretty", report),
        f"https://{host.site}/",
        env={**without_proxies(), "TESTSSL_INSTALL_DIR": str(root / "etc/testssl")}, okay=tuple(range(200)),
    )
    keep(host, "testssl.txt", said)
    scan = json.loads(report.read_text())["scanResult"][0]
    version = version_of("testssl.sh")
    bad = [f"{item['severity']} {item['id']}: {item['finding']}" for item in scan["vulnerabilities"] if is_bad(item)]
    yield Row("testssl.sh", version, "no vulnerability", f"{len(bad)}", not bad, bad)
    rating = {item["id"]: item["finding"] for item in scan["rating"]}
    capped = [text for name, text in rating.items() if name.startswith("grade_cap")]
    figure = f"{rating['overall_grade']} ({rating['final_score']})"
    yield Row("testssl.sh grade", version, "A+", figure, rating["overall_grade"] == "A+", capped)


def is_bad(item: dict[str, str]) -> bool:
    return item["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL") or item["finding"].startswith("VULNERABLE")


def observatory(host: Host) -> Iterator[Row]:
    name = "@mdn/mdn-http-observatory"
    package = from_npm() / name
    # Its list of the sites that browsers know by heart, which a script downloads; the site is not among them.
    (package / "conf/hsts-preload.json").write_text("{}")
    environment = {
        **without_proxies(),
        "AUDIT_SITE": f"{host.site}={host.address}",
        "NODE_EXTRA_CA_CERTS": str(host.authority),
        "NODE_OPTIONS": f"--require {Path(__file__).parent / 'tools/lookup.cjs'}",
    }
    said = json.loads(keep(host, "observatory.json", run("node", package / "src/scan.js", host.site, env=environment)))
    grade = said["scan"]["grade"]
    tests = [f"{test['scoreModifier']:+} {test['result']}" for test in said["tests"].values() if not test["pass"]]
    figure = f"{grade} ({said['scan']['score']})"
    yield Row("HTTP Observatory", version_of(name), "A+", figure, grade == "A+", tests)


def gixy(host: Host) -> Iterator[Row]:
    configuration = host.state / "nginx.conf"
    configuration.write_text(host.run("nginx -T 2>/dev/null"))
    said = run(from_pypi("gixy-ng") / "gixy", "-f", "json", configuration, okay=(0, 1))
    found = json.loads(keep(host, "gixy.json", said))
    findings = [f"{item['severity']} {item['plugin']}: {item['summary']}" for item in found]
    yield Row("gixy-ng", version_of("gixy-ng"), "no finding", f"{len(findings)}", not findings, findings)


LYNIS = """
folder=$(mktemp -d /root/audit.XXXXXX); cd "$folder"; tar -xz --no-same-owner
./lynis audit system --quick --no-colors --logfile log --report-file report >said 2>&1
cat report; echo ----; cat said; echo ----; cat log; rm -rf "$folder"
"""


def lynis(host: Host) -> Iterator[Row]:
    """It runs from a folder of its own on the host, and nothing stays there."""
    report, said, log = host.run(LYNIS, packed_lynis()).split("\n----\n", 2)
    for name, text in {"lynis.report": report, "lynis.txt": said, "lynis.log": log}.items():
        keep(host, name, text)
    index = int(re.search(r"^hardening_index=(\d+)", report, re.MULTILINE)[1])
    found = re.findall(r"^(?:suggestion|warning)\[\]=([^|]*\|[^|]*(?:\|[^|]*)?)", report, re.MULTILINE)
    findings = [" ".join(part for part in text.split("|") if part != "-") for text in found]
    yield Row("lynis", version_of("lynis"), f"index >= {LYNIS_INDEX}", f"{index}", index >= LYNIS_INDEX, findings)


def packed_lynis() -> bytes:
    """Lynis as its authors pack it: program, include, db, profile in one folder."""
    root, folder = from_debian(), CACHE / "lynis"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "usr/share/lynis", folder)
    (folder / "plugins").mkdir(exist_ok=True)
    for name in ("usr/sbin/lynis", "etc/lynis/default.prf"):
        shutil.copy(root / name, folder)
    return packed(folder, inside=True)


def packed(folder: Path, inside: bool = False) -> bytes:
    """A tar file of the folder, or of what is inside."""
    base = "." if inside else folder.name
    command = ["tar", "--create", "--gzip", "--exclude=__pycache__", "-C", folder if inside else folder.parent, base]
    return subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout


OPENSCAP = """
before=$(dpkg-query -W -f '${Package}\\n')
command -v oscap >/dev/null || apt-get install -qq --no-install-recommends openscap-scanner >/dev/null 2>&1
new=$(dpkg-query -W -f '${Package}\\n' | grep -vxF "$before" || true)
cat >/root/.audit.xml
scan() { oscap xccdf eval --profile standard --results /root/.audit.out "$@" /root/.audit.xml >/dev/null 2>&1; }
oscap --version | sed -n '1s/.* //p'
for rules in "" "$(printf ' --skip-rule xccdf_org.ssgproject.content_rule_%s' RULES)"; do
    scan $rules || [ $? -eq 2 ]
    cat /root/.audit.out; echo; echo ----
done
rm /root/.audit.xml /root/.audit.out
[ -z "$new" ] || apt-get purge -qq $new >/dev/null 2>&1
"""


def openscap(host: Host) -> Iterator[Row]:
    """The content is Debian 13's: Debian 12's own is for Debian 11. The scanner is the host's, and goes again."""
    content = from_debian() / "usr/share/xml/scap/ssg/content" / OPENSCAP_CONTENT
    rules = " ".join(RULES_OF_THE_KERNEL if host.own else [])
    said = host.run(OPENSCAP.replace("RULES", rules), content.read_bytes())
    scanner, _, rest = said.partition("\n")
    everything, selected, _ = rest.split("\n----\n", 2)
    version = f"{scanner}, ssg {version_of('ssg-debian')}"
    for name, text in {"openscap-all.xml": everything, "openscap.xml": selected}.items():
        keep(host, name, text)
    score, failed, passed = openscap_results(selected)
    figure = f"{score:.1f} ({len(failed)} of {len(failed) + passed} fail)"
    yield Row("OpenSCAP standard", version, f"score >= {OPENSCAP_SCORE}", figure, score >= OPENSCAP_SCORE, failed)
    score, failed, passed = openscap_results(everything)
    figure = f"{score:.1f} ({len(failed)} of {len(failed) + passed} fail)"
    yield Row("  all its rules", version, "-", figure, None)


def openscap_results(text: str) -> tuple[float, list[str], int]:
    """The score, the rules that fail, and the number of those that pass."""
    names = {"x": "http://checklists.nist.gov/xccdf/1.2"}
    result = ElementTree.fromstring(text).find(".//x:TestResult", names)
    counts, failed = Counter(), []
    for rule in result.findall("x:rule-result", names):
        verdict = rule.findtext("x:result", namespaces=names)
        counts[verdict] += 1
        if verdict in ("fail", "error", "unknown"):
            failed.append(f"{rule.get('severity')} {rule.get('idref').rpartition('content_rule_')[2]}")
    return float(result.findtext("x:score", namespaces=names)), failed, counts["pass"]


UNITS = """
own=$(systemctl list-unit-files --no-legend 'flask-*.service' | cut -d' ' -f1)
for unit in $(systemctl show --value -p Id $own UNITS | grep . | sort -u); do
    systemctl cat "$unit" >/dev/null 2>&1 || continue
    echo "=== $unit"
    systemd-analyze security --no-pager "$unit" 2>&1
done
echo "==="
systemctl --version | sed -n '1s/systemd \\([0-9]*\\).*/\\1/p'
"""


def systemd(host: Host) -> Iterator[Row]:
    said = keep(host, "systemd.txt", host.run(UNITS.replace("UNITS", " ".join(PROXY_UNITS + OTHER_UNITS))))
    *units, version = said.split("===")[1:]
    for text in units:
        unit, _, details = text.strip().partition("\n")
        yield exposure_of(unit, details, version.strip())


def exposure_of(unit: str, details: str, version: str) -> Row:
    """The figure, and the settings that would lower it most."""
    asked = unit.startswith("flask-") or unit in PROXY_UNITS
    found = re.search(r"Overall exposure level for .*: ([0-9.]+) ", details)
    figure = found[1] if found else "unknown"
    okay = bool(found) and float(figure) <= EXPOSURE if asked else None
    open_doors = re.findall(r"^✗ (\S+) .* ([0-9.]+)$", details, re.MULTILINE)
    worst = [f"{weight} {name}" for name, weight in sorted(open_doors, key=lambda door: -float(door[1]))[:8]]
    return Row(f"systemd {unit}", version, f"exposure <= {EXPOSURE}" if asked else "-", figure, okay, worst)


CHECKERS = {
    "sslyze": sslyze,
    "testssl": testssl,
    "observatory": observatory,
    "gixy": gixy,
    "systemd": systemd,
    "lynis": lynis,
    "openscap": openscap,
    "ssh-audit": ssh_audit,
}
