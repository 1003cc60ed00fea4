"""Two applications of one host: what is done with one of them, the visitors of the other never notice."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import tarfile
from pathlib import Path

import pytest
import requests
import yaml
from machine import TOP, Application, machines, scenario_state, wait_for
from playbook import Visitors, run, spoken
from remains import remains_of
from traffic import Report, Traffic

LOOK = (Path(__file__).parent / "look.py").read_text()
LEDGER = {
    "flask_app": "ledger",
    "flask_domain": "ledger.example.com",
    "flask_repo": "{{ neighbours['git'] }}/ledger",
    "flask_entrypoint": "ledger:create_app()",
    "flask_login_urls": [],
    "flask_database": "sqlite",
    "flask_database_password": "",
    "flask_env": {"DATABASE_URL": "sqlite:////srv/ledger/shared/data/ledger.db"},
    "flask_shared_paths": ["instance", "data"],
    "flask_services": ["redis", "memcached", "rabbitmq"],
    "app_extra_packages": ["pika==1.3.2", "pymemcache==4.0.0", "redis==6.4.0"],
    "flask_jobs": [
        {"name": "ping", "command": "python ping.py", "schedule": "* * * * *", "timeout": 50},
        {"name": "slow", "command": "echo begins; sleep 7; echo ends", "schedule": "*:*:0/3"},
        {"name": "broken", "command": "ls /nowhere", "schedule": "@yearly"},
        {"name": "late", "command": "sleep 600", "schedule": "@yearly", "timeout": 2},
    ],
}
WELL = ["REDIS_URL: well", "MEMCACHED_SERVER: well", "AMQP_URL: well"]
REDIS = "redis-cli -s /run/redis-ledger/redis.sock"
OPEN = {"22", "80", "443"}  # ports of the host
QUIET = "journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet"  # what the first minutes of a host had to say
# Each process of the applications and of what they use: whose, what, which one, and its start in the kernel's ticks.
PROCESSES = """
import glob, os, pwd
for path in glob.glob("/proc/[0-9]*"):
    try:
        text, user = open(path + "/stat").read(), pwd.getpwuid(os.stat(path).st_uid).pw_name
    except OSError:
        continue
    name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
    if name in ("gunicorn", "mariadbd", "nginx", "supervisord", "redis-server", "memcached", "beam.smp", "master"):
        print(user, name, path, rest[19])
"""


@pytest.fixture(scope="session")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two names of one address, and one of another."""
    repositories = scenario_state() / "repositories"
    if not (repositories / "ledger").exists():
        subprocess.run([TOP / "molecule/applications/build", repositories], check=True, timeout=120)
    hosts = yaml.safe_load(Path(os.environ["MOLECULE_INVENTORY_FILE"]).read_text())["all"]["hosts"]
    both, alone = hosts["several-bookworm"], hosts["several-alone"]
    guestbook = {"flask_domain": "guestbook.example.com"}
    names = {
        "guestbook": {**both, **guestbook},
        "ledger": {**both, **LEDGER},
        "alone": {**alone, **guestbook, "flask_database_connections": 60},
    }
    folder = tmp_path_factory.mktemp("inventory")
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": names}}))
    (folder / "group_vars").symlink_to(TOP / "molecule/shared/group_vars")
    return folder / "hosts.yml"


@pytest.fixture(scope="session")
def play(inventory: Path):
    """Runs a playbook for one name, or for those that are named; what it said."""

    def play(playbook: str, limit: str, *arguments: str) -> str:
        answer = run(playbook, "--limit", limit, *arguments, inventory=inventory)
        assert answer.returncode == 0, spoken(answer)
        return spoken(answer)

    return play


def application(host: str, app: str) -> Application:
    (machine,) = [machine for machine in machines() if machine.name == host]
    return Application(machine.name, machine.address, app, f"{app}.example.com")


@pytest.fixture(scope="session")
def guestbook() -> Application:
    return application("several-bookworm", "guestbook")


@pytest.fixture(scope="session")
def ledger() -> Application:
    return application("several-bookworm", "ledger")


@pytest.fixture(scope="session")
def alone() -> Application:
    return application("several-alone", "guestbook")


def done(application: Application, script: str, *words: str, stdin: str = "") -> str:
    """What a script on the host says; it has to work."""
    answer = application.inside(script, *words, stdin=stdin)
    assert answer.returncode == 0, f"{script}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


def processes_but_of(application: Application) -> list[str]:
    """Those of the host that a change of this application's version does not concern."""
    lines = done(application, "exec python3 -", stdin=PROCESSES).splitlines()
    return sorted(line for line in lines if not line.startswith(f"{application.app} gunicorn "))


def traffic(application: Application) -> Traffic:
    return Traffic(application.address, rate=20, name=application.domain)


def assert_nobody_noticed(report: Report, version: str) -> None:
    """Each page was shown, and each post is stored."""
    assert (report.failed_gets, report.failed_posts, report.refused) == (0, 0, 0), report.get_failures + report.post_failures
    assert report.versions == [version] and report.requests > 40 and report.stored > 5


def count(application: Application) -> int:
    return application.visitor().get("/posts/count").json()["count"]


def post(application: Application, body: str) -> None:
    assert application.visitor().post("/posts", data={"body": body}).status_code == 201


def test_one_run_sets_both_up_and_the_next_one_changes_nothing(play) -> None:
    play("site.yml", "all")
    said = play("site.yml", "guestbook,ledger")
    assert re.findall(r"(\w+) : ok=\d+ changed=(\d+)", said) == [("guestbook", "0"), ("ledger", "0")], said


def asked(address: str, name: str, trusted: str) -> str:
    """The first line of the answer to who trusts this certificate alone."""
    context = ssl.create_default_context(cadata=trusted)
    with (
        socket.create_connection((address, 443), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname=name) as connection,
    ):
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile().readline().strip()


def test_each_answers_under_its_own_name_with_its_own_certificate(guestbook: Application, ledger: Application) -> None:
    post(ledger, "only in the ledger")
    assert (count(guestbook), count(ledger)) == (0, 1)
    for own, other in ((guestbook, ledger), (ledger, guestbook)):
        trusted = done(own, f"cat /etc/ssl/selfhost/{own.app}.pem")
        assert asked(own.address, own.domain, trusted) == "HTTP/1.1 200 OK"
        with pytest.raises(ssl.SSLCertVerificationError):
            asked(own.address, other.domain, trusted)


def test_a_name_that_nobody_has_gets_neither(guestbook: Application, ledger: Application) -> None:
    stranger = Application(guestbook.name, guestbook.address, "", "nobody.example.com")
    assert stranger.visitor().get("/healthz").status_code == 421
    with pytest.raises(requests.ConnectionError):
        stranger.visitor().get(f"http://{stranger.address}/healthz", allow_redirects=False)
    for app in (guestbook, ledger):
        with pytest.raises(ssl.SSLCertVerificationError):
            asked(app.address, stranger.domain, done(app, f"cat /etc/ssl/selfhost/{app.app}.pem"))


def test_nobody_of_the_first_notices_an_update_of_the_second(play, guestbook: Application, ledger: Application) -> None:
    before = processes_but_of(ledger)
    assert {line.split()[1] for line in before} >= {"gunicorn", "mariadbd", "nginx", "redis-server", "memcached", "beam.smp"}
    with traffic(guestbook) as visitors:
        play("update.yml", "ledger", "-e", "flask_version=v2")
    assert_nobody_noticed(visitors.report(), "v1")
    assert processes_but_of(ledger) == before
    assert ledger.visitor().get("/healthz").json()["version"] == "v2" and count(ledger) == 1


def test_nobody_of_the_second_notices_an_update_and_a_rollback_of_the_first(
    play, guestbook: Application, ledger: Application
) -> None:
    before = processes_but_of(guestbook)
    with Visitors(ledger) as visitors:
        play("update.yml", "guestbook", "-e", "flask_version=v2")
        assert guestbook.visitor().get("/healthz").json()["version"] == "v2"
        play("rollback.yml", "guestbook", "-e", "flask_rollback_database=downgrade")
    assert visitors.problems == [] and visitors.seen("version") == ["v2"] and len(visitors.answers) > 40
    assert processes_but_of(guestbook) == before
    assert guestbook.visitor().get("/healthz").json()["version"] == "v1"


def log_of(ledger: Application, job: str) -> list[str]:
    """What a job has printed so far."""
    return done(ledger, 'touch -a "$1"; cat "$1"', f"/var/log/ledger/{job}.log").splitlines()


def test_a_job_has_run_and_reaches_each_service_by_its_url(ledger: Application) -> None:
    wait_for(lambda: WELL[-1] in log_of(ledger, "ping"), "a run of the job ping", seconds=90)
    assert set(log_of(ledger, "ping")) == set(WELL)
    shown = done(ledger, "flask-ledger logs -n 3")
    assert "\n".join(["==> /var/log/ledger/ping.log <==", *WELL]) in shown


def test_nobody_else_reaches_them(guestbook: Application, ledger: Application) -> None:
    """The same program with the same URLs, as the second application's user and as others; a wrong password for the broker."""
    urls = dict(line.split("=", 1) for line in done(ledger, "cat /srv/ledger/shared/.env").splitlines() if "=" in line)
    known = [f"{name}={urls[name].strip(chr(39) + chr(34))}" for name in ("REDIS_URL", "MEMCACHED_SERVER", "AMQP_URL")]
    guessed = [*known[:2], "AMQP_URL=amqp://ledger:ledger@127.0.0.1:5672/ledger"]
    script = """
    user=$1; shift
    cp /srv/ledger/current/ping.py /tmp/ping.py; cd /tmp
    runuser -u "$user" -- env "$@" /srv/ledger/current/.venv/bin/python /tmp/ping.py || true
    """
    assert done(ledger, script, "ledger", *known).splitlines() == WELL
    for user in ("guestbook", "nobody"):
        said = done(ledger, script, user, *guessed).splitlines()
        assert [line.split(":")[0] for line in said] == ["REDIS_URL", "MEMCACHED_SERVER", "AMQP_URL"], said
        assert all("Permission denied" in line for line in said[:2]) and "ACCESS_REFUSED" in said[2], said
        assert ledger.inside('runuser -u "$1" -- cat /srv/ledger/shared/.env', user).returncode != 0
    assert done(ledger, script, "nobody", "AMQP_URL=amqp://guest:guest@127.0.0.1:5672/").count("ACCESS_REFUSED") == 1


def test_what_listens_is_on_the_loopback(ledger: Application) -> None:
    addresses = [line.split()[3].rsplit(":", 1) for line in done(ledger, "ss -Hltn").splitlines()]
    assert {port for host, port in addresses} >= {*OPEN, "5672"}
    assert {port for host, port in addresses if not host.startswith(("127.", "[::1]"))} == OPEN


def findings(play, tmp_path: Path, name: str) -> list[tuple[str, str]]:
    """The doctor's names for what is wrong, and with what."""
    report = tmp_path / "report.json"
    ignored = '{"doctor_ignored": ["updates-pending", "name-unresolved"], "doctor_fail_on": "never"}'
    play("doctor.yml", name, "-e", f"doctor_json={report}", "-e", ignored)
    return sorted((one["id"], one["subject"]) for one in json.loads(report.read_text())[0]["findings"])


def test_the_doctor_names_the_jobs_that_failed(play, ledger: Application, tmp_path: Path) -> None:
    assert ledger.inside("systemctl start flask-ledger.broken").returncode == 1
    assert ledger.inside("systemctl start flask-ledger.late").returncode == 1
    done(ledger, QUIET)
    key = ("secret-key-foreign", "")  # it is in its code, as the doctor rightly says
    assert findings(play, tmp_path, "ledger") == [("job-failed", "broken"), ("job-failed", "late"), key]
    assert findings(play, tmp_path, "guestbook") == []
    assert "No such file or directory" in log_of(ledger, "broken")[-1]


def test_a_job_never_runs_beside_itself(ledger: Application) -> None:
    """It takes longer than the time from one beginning to the next."""
    wait_for(lambda: len(log_of(ledger, "slow")) >= 6, "three runs of the job slow", seconds=90)
    seen = log_of(ledger, "slow")
    assert seen[0::2] == ["begins"] * len(seen[0::2]) and seen[1::2] == ["ends"] * len(seen[1::2])


def test_a_backup_has_what_redis_has(play, guestbook: Application, ledger: Application) -> None:
    done(ledger, f"{REDIS} set otter 4711; {REDIS} save")
    before = count(ledger)
    play("backup.yml", "ledger")
    post(ledger, "too late for the backup")
    done(ledger, f"{REDIS} del otter; {REDIS} save")
    with traffic(guestbook) as visitors:
        play("restore.yml", "ledger")
    assert_nobody_noticed(visitors.report(), "v1")
    assert done(ledger, f"{REDIS} get otter") == "4711\n" and count(ledger) == before


def test_all_of_it_is_up_after_a_reboot(guestbook: Application, ledger: Application) -> None:
    counts = count(guestbook), count(ledger)
    runs = len(log_of(ledger, "ping"))
    ledger.reboot()
    for app in (guestbook, ledger):
        wait_for(app.answers, f"an answer of {app.app}", seconds=120)
    assert (count(guestbook), count(ledger)) == counts
    wait_for(lambda: len(log_of(ledger, "ping")) >= runs + 3, "a run of the job ping", seconds=120)
    assert log_of(ledger, "ping")[-3:] == WELL
    assert done(ledger, f"{REDIS} get otter") == "4711\n"
    assert done(ledger, "systemctl list-units --state failed --plain --no-legend") == ""


def state_of(application: Application, *packages: str) -> dict[str, str] | list[str]:
    return json.loads(done(application, 'exec python3 - "$@"', application.address, *packages, stdin=LOOK))


# Where the two hosts differ beside the files of packages, and why.
STAYS = {
    "the servers and packages stay, with their settings, data and users": (
        r".*(redis|memcached?|rabbitmq|epmd|logrotate)|package "
        r"|file /(etc/((passwd|group|shadow|gshadow)-?|ld.so.cache)|var/(cache|lib/(apt|dpkg))/.*):"
        r"|file (/etc/systemd/system|/var/lib/systemd/deb-systemd-helper-enabled)/sockets.target.wants:"
    ),
    "each host has a name, an address and keys of its own": (
        r"file /etc/(hostname|machine-id|aliases.db|ssh/ssh_host_.*):|file /var/lib/selfhost/guard/"
        r"|file /var/lib/selfhost/settled/\w+.json: -rw-{7} root:root \w+ -> -rw-{7} root:root \w+$"  # the sites' files
        r"|file (/var/spool/postfix)?/etc/ssl/(certs|private)/(ssl-cert-snakeoil|[0-9a-f]{8}\.0)"
    ),
    "the first application was updated and rolled back": (
        r"file /(srv|var/(backups|log|cache|lib/mysql)|etc/ssl/selfhost)/guestbook/|file /var/lib/selfhost/tls/guestbook.json"
    ),
    "it was restarted, and somebody is logged in": (
        r"file /var/(tmp/systemd-private|log/(journal|unattended-upgrades)|lib/systemd/(timers|timesync))"
        r"|unit( file)? (session-|user@|user-runtime-dir@|run-user-|systemd-oomd)|unit file run-\w+\.scope "
    ),
    "the inventory has the second one still, by which the memory of the first is bounded": (
        r"file (/etc/systemd/system/flask-guestbook\.slice|/var/lib/selfhost/loaded/guestbook\.bounds\.json):"
    ),
    "who asks for an unknown name was shown the certificate of the one that was there first": (
        r"file /etc/ssl/selfhost/default\.(key|pem):"
    ),
}


def test_nobody_of_the_first_notices_that_the_second_leaves(
    play, guestbook: Application, ledger: Application, tmp_path: Path
) -> None:
    with traffic(guestbook) as visitors:
        play("remove.yml", "ledger", "-e", "flask_remove=ledger", "-e", f"flask_backup_fetch={tmp_path}")
    assert_nobody_noticed(visitors.report(), "v1")
    assert remains_of(ledger, "ledger") == []
    (backup,) = tmp_path.iterdir()
    with tarfile.open(backup) as packed:
        names = {Path(name).name for name in packed.getnames()}
    assert names >= {"manifest.json", "database.gz", "shared.tar.gz"}


def test_the_host_is_then_as_one_that_never_had_it(guestbook: Application, alone: Application) -> None:
    left, never = state_of(guestbook), state_of(alone)
    packages = [line.split()[1] for line in left.keys() - never.keys() if line.startswith("package ")]
    brought = {f"file {path}" for path in state_of(guestbook, *packages)}
    differing = {what for what in left.keys() | never.keys() if left.get(what) != never.get(what)} - brought
    lines = [f"{what}: {never.get(what)} -> {left.get(what)}" for what in sorted(differing)]
    unsaid = [line for line in lines if not any(re.match(pattern, line) for pattern in STAYS.values())]
    assert not unsaid, "\n".join(unsaid)


def test_the_first_one_goes_on(play, guestbook: Application, tmp_path: Path) -> None:
    assert "changed=0 " in play("site.yml", "guestbook")
    done(guestbook, QUIET)
    assert findings(play, tmp_path, "guestbook") == []
