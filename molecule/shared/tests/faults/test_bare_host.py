"""site.yml is interrupted on a bare host, again and again: each run goes on from what the last one has left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from machine import APP, ROOT, TESTHOST, Machine
from playbook import run, spoken
from update import Frozen, Update, every, tasks_of, worst

SITE = "site.yml"
DATA = "/var/lib/mysql"
UNITS = f"/etc/systemd/system/flask-{APP}"
EVERYTHING = os.environ.get("FAULTS") == "all"

# The route to everybody but this machine is gone; nothing is known of packages, as on an image that was tidied.
CUT_OFF = """
echo 'Acquire::Retries "0";' >/etc/apt/apt.conf.d/99-once
ip route show default >/run/route
ip route del default
find /var/lib/apt/lists -type f -delete
"""
CONNECT = "rm /etc/apt/apt.conf.d/99-once; ip route add $(sed s/linkdown// /run/route)"

# A folder is a file system of its own that is too small, and later a folder again with what has come into it.
TOO_SMALL = 'mkdir -p "$1" && mount -t tmpfs -o mode=755,size=20m small "$1"'
ROOMY = 'mkdir /run/kept && cp -a "$1/." /run/kept && umount "$1" && cp -a /run/kept/. "$1" && rm -r /run/kept'

# What nothing that was interrupted may leave behind.
LEFT_BEHIND = f"""
ls -d /usr/sbin/policy-rc.d* /usr/local/lib/selfhost-flask.new /etc/ssh/.ssh_host* {ROOT}/releases/.incoming* 2>/dev/null
ls /var/lib/dpkg/updates
dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}}\\n' | grep -v '^ii \\|^rc '
test ! -d /var/lib/selfhost/guard/armed || echo armed
systemctl --failed --plain --no-legend
true
"""

pytestmark = pytest.mark.usefixtures("bare", "noted")


@pytest.fixture(scope="session")
def bare(machine: Machine) -> None:
    """What is interrupted is the first run of all."""
    if machine.inside(f"test -e {ROOT}/releases.json").returncode == 0:
        pytest.skip("this host serves already: `molecule destroy` first")


@contextmanager
def frozen(machine: Machine, module: str, point: str) -> Iterator[tuple[Frozen, Update]]:
    """A run of site.yml that has come to a point of a module's work."""
    with Frozen(machine, module, point) as held, Update("v1", playbook=SITE) as site:
        held.until_there()
        yield held, site


def kill(machine: Machine, module: str, point: str) -> None:
    """The module and its children; by that, the run of the playbook fails."""
    with frozen(machine, module, point) as (held, site):
        held.tell("kill all")
        code, said = site.end()
    assert code == 2, said


def cut_the_power(machine: Machine, module: str, point: str) -> None:
    with frozen(machine, module, point) as (_, site):
        subprocess.run([sys.executable, TESTHOST, "kill", machine.name], check=True, timeout=60)
        site.kill_all()
        subprocess.run([sys.executable, TESTHOST, "start", machine.name], check=True, timeout=120)


def kill_the_playbook(machine: Machine, task: str) -> None:
    """ansible-playbook alone, when a task has begun; what is at work on the host for it comes to its end."""
    with Update("v1", playbook=SITE) as site:
        site.until_task(task)
        site.kill()


def fill_the_disk(machine: Machine, module: str, point: str) -> None:
    """MariaDB's files find no room when it is installed, which its package does not notice; killed somewhat later."""
    assert machine.inside(TOO_SMALL, DATA).returncode == 0
    kill(machine, module, point)
    assert machine.inside(f"ls {DATA}").stdout.split() != []
    done = machine.inside(ROOMY, DATA)
    assert done.returncode == 0, done.stderr


def cut_off(machine: Machine, message: str) -> None:
    """The host has no network."""
    assert machine.inside(CUT_OFF).returncode == 0
    answer = run(SITE)
    assert machine.inside(CONNECT).returncode == 0
    assert answer.returncode == 2, spoken(answer)
    assert message in spoken(answer)


PACKAGES = "selfhost.flask.base : Install all packages in one transaction"
USERS = "selfhost.flask.hardening : Create the administrators"
KEYS = "selfhost.flask.hardening : Authorize their ssh keys"
SUDO = "selfhost.flask.hardening : Let them become root"
ACCESS = "selfhost.flask.hardening : Configure the ssh server and the firewall"
SYSTEM = "selfhost.flask.system : Write the settings"
SERVER = "selfhost.flask.mysql : Start the database server"
DATABASE = "selfhost.flask.mysql : Create the database"
DATABASE_USER = "selfhost.flask.mysql : Create its user"
ACCOUNT = "selfhost.flask.app : Create the user, the folders and the command"
BACKUPS = "selfhost.flask.backup : Install the program that makes backups"
TIMERS = "selfhost.flask.backup : Schedule the backups and their drills"
CERTIFICATE = "selfhost.flask.tls : Make or install the certificate"
PROXY = "selfhost.flask.nginx : Write the site's configuration"
JAILS = "selfhost.flask.fail2ban : Write the jails and their filters"
MAIL = "selfhost.flask.postfix : Write the mail server's configuration"
SOURCE = "selfhost.flask.app : Check out the version"
VENV = "selfhost.flask.app : Install the requirements"
SETTINGS = "selfhost.flask.app : Write the settings to .env"
SLOTS = "selfhost.flask.gunicorn : Write the slots' configuration"
LAUNCH = "selfhost.flask.deployment : Migrate the database, launch the release and move the traffic to it"

# In the order of site.yml: the task, whether every run of the tests has it, its name in the table, what happens.
CUTS = [
    (PACKAGES, worst, "lists are fetched, without a network", cut_off, "does not get them from its package mirror"),
    (PACKAGES, worst, "packages are unpacked", kill, "host_packages", "has:/usr/bin/git"),
    (PACKAGES, worst, "packages are configured", cut_the_power, "host_packages", "runs:--configure"),
    (USERS, worst, "the administrator's account", kill, "user", "runs:useradd"),
    (KEYS, worst, "the administrator's keys", kill, "authorized_key", "begun"),
    (SUDO, every, "the administrator's rights", kill, "config_files", f"has:/etc/sudoers.d/selfhost-admins-{APP}"),
    (ACCESS, worst, "the database's files, on a full disk, and sshd's keys", fill_the_disk, "host_access", "runs:-t rsa"),
    (ACCESS, every, "sshd's settings", kill, "host_access", "has:/etc/ssh/sshd_config.d/00-selfhost.conf"),
    (ACCESS, worst, "the firewall", cut_the_power, "host_access", "runs:ufw --force enable"),
    (SYSTEM, every, "the system's settings", kill, "config_files", "has:/etc/profile.d/selfhost.sh"),
    (SERVER, worst, "the database's files again", cut_the_power, "mysql_data", "runs:install_db"),
    (DATABASE, every, "the database", kill, "mysql_db", "begun"),
    (DATABASE_USER, every, "the database's user", kill, "mysql_user", "begun"),
    (ACCOUNT, every, "the application's account", kill, "config_files", f"has:/etc/sysusers.d/{APP}.conf"),
    (BACKUPS, every, "the backups' program", kill, "flask_backup", "begun"),
    (TIMERS, every, "the backups' timers", cut_the_power, "config_files", f"has:{UNITS}-backup.timer"),
    (CERTIFICATE, worst, "the certificate", kill, "flask_certificate", "runs:openssl req"),
    (PROXY, every, "the proxy", kill, "config_files", "has:/etc/nginx/selfhost/acme.conf"),
    (JAILS, every, "the jails", kill, "config_files", "has:/etc/fail2ban/jail.d/selfhost.conf"),
    (MAIL, every, "the mail server", kill, "config_files", "has:/etc/postfix/smarthost"),
    (SOURCE, every, "the source", kill, "flask_release", "working"),
    (VENV, every, "uv, without a network", cut_off, "uv can't be installed from the package index"),
    (VENV, every, "uv", kill, "flask_venv", "runs:pip install"),
    (VENV, every, "the requirements", cut_the_power, "flask_venv", "runs:uv pip install"),
    (SETTINGS, every, "the settings", kill, "dotenv", "begun"),
    (SLOTS, every, "the slots", kill, "config_files", f"has:{ROOT}/serve"),
    (LAUNCH, worst, "the first launch", cut_the_power, "flask_deployment", f"has:{ROOT}/run/blue.sock"),
]


def cuts() -> Iterator[object]:
    """With FAULTS=all, the playbook is killed at each task, too, after what is cut short in that task."""
    tasks = tasks_of(SITE) if EVERYTHING else [task for task, *_ in CUTS]
    for task in dict.fromkeys(tasks):
        for about in CUTS:
            if about[0] == task:
                yield about[1](about[2], *about[3:4], about[4:])
        if EVERYTHING:
            yield every(f"playbook at {task}", kill_the_playbook, (task,))


@pytest.mark.parametrize(("happens", "words"), cuts())
def test_bare_host(machine: Machine, happens: Callable, words: tuple) -> None:
    happens(machine, *words)


def test_bare_host_serves(machine: Machine) -> None:
    """The run that nothing happens to makes up for all of them; the doctor finds nothing, and no more is to do."""
    answer = run(SITE)
    assert answer.returncode == 0, spoken(answer)
    assert "is well: " in spoken(answer), spoken(answer)
    assert "changed=0" in spoken(run(SITE if EVERYTHING else "provision.yml"))
    assert machine.inside(LEFT_BEHIND).stdout == ""
    assert machine.answers()
