"""Where site.yml is cut short on a bare host; tests/unit/test_cuts.py holds it against the roles."""

from __future__ import annotations

import os
from collections.abc import Iterator

from interruptions import SITE, cut_off, cut_the_power, fill_the_disk, kill, kill_the_playbook
from machine import ADMIN, APP, ROOT
from update import every, tasks_of, worst

UNITS = f"/etc/systemd/system/flask-{APP}"
EVERYTHING = os.environ.get("FAULTS") == "all"
SCENARIO = os.environ.get("MOLECULE_SCENARIO_NAME", "faults")

PACKAGES = "selfhost.flask.base : Install all packages in one transaction"
ADMINS = "selfhost.flask.hardening : Give the administrators their accounts"
ACCESS = "selfhost.flask.hardening : Configure the ssh server, the firewall and the administrators"
SYSTEM = "selfhost.flask.system : Write the settings, apply them, and inspect the host"
SERVER = "selfhost.flask.mysql : Configure and start the server"
DATABASE = "selfhost.flask.mysql : Create the database"
DATABASE_USER = "selfhost.flask.mysql : Create its user"
ACCOUNT = "selfhost.flask.app : Create the user, the folders and the command"
BACKUPS = "selfhost.flask.backup : Install the program that makes backups"
TIMERS = "selfhost.flask.backup : Schedule the backups and their drills"
MANAGER = "selfhost.flask.supervisor : Start supervisor, and confine what it runs"
CERTIFICATE = "selfhost.flask.tls : Make or install the certificate"
PROXY = "selfhost.flask.nginx : Write the site's configuration"
JAILS = "selfhost.flask.fail2ban : Write the jails and their filters, and start them"
MAIL = "selfhost.flask.postfix : Configure and start the mail server"
BUILD = "selfhost.flask.app : Build the release"
LAUNCH = "selfhost.flask.deployment : Migrate the database, launch the release and move the traffic to it"

# In the order of site.yml: the task, whether every run of the tests has it, its name in the table, what happens.
CUTS = [
    (PACKAGES, worst, "lists are fetched, without a network", cut_off, "does not get them from its package mirror"),
    (PACKAGES, worst, "packages are unpacked", kill, "host_packages", "has:/usr/bin/git"),
    (PACKAGES, worst, "packages are configured", cut_the_power, "host_packages", "runs:--configure"),
    (ADMINS, worst, "the database's files, on a full disk, and the administrator's account",
     fill_the_disk, "host_admins", "runs:useradd"),
    (ADMINS, worst, "the administrator's keys", kill, "host_admins", f"has:/home/{ADMIN}/.ssh/authorized_keys"),
    (ADMINS, every, "the administrator's rights", kill, "host_admins", f"has:/etc/sudoers.d/selfhost-admins-{APP}"),
    (ACCESS, worst, "sshd's keys", kill, "host_access", "runs:-t rsa"),
    (ACCESS, every, "sshd's settings", kill, "host_access", "has:/etc/ssh/sshd_config.d/00-selfhost.conf"),
    (ACCESS, worst, "the firewall", cut_the_power, "host_access", "runs:ufw --force enable"),
    (SYSTEM, every, "the system's settings", kill, "config_files", "has:/etc/profile.d/selfhost.sh"),
    (ACCOUNT, every, "the application's account", kill, "config_files", f"has:/etc/sysusers.d/{APP}.conf"),
    (SERVER, worst, "the database's files again", cut_the_power, "mysql_data", "runs:install_db"),
    (DATABASE, every, "the database", kill, "mysql_db", "begun"),
    (DATABASE_USER, every, "the database's user", kill, "mysql_user", "begun"),
    (BACKUPS, every, "the backups' program", kill, "flask_backup", "begun"),
    (TIMERS, every, "the backups' timers", cut_the_power, "config_files", f"has:{UNITS}-backup.timer"),
    (MANAGER, every, "the process manager", kill, "config_files", "has:/etc/systemd/system/supervisor.service.d/selfhost.conf"),
    (CERTIFICATE, worst, "the certificate", kill, "flask_certificate", "runs:openssl req"),
    (PROXY, every, "the proxy", kill, "config_files", "has:/etc/nginx/selfhost/acme.conf"),
    (JAILS, every, "the jails", kill, "config_files", "has:/etc/fail2ban/jail.d/selfhost.conf"),
    (MAIL, every, "the mail server", kill, "config_files", "has:/etc/postfix/smarthost"),
    (BUILD, every, "the source", kill, "flask_build", "working"),
    (BUILD, every, "uv, without a network", cut_off, "uv can't be installed from the package index"),
    (BUILD, every, "uv", kill, "flask_build", "runs:pip install"),
    (BUILD, every, "the requirements", cut_the_power, "flask_build", "runs:uv pip install"),
    (BUILD, every, "the settings", kill, "flask_build", f"has:{ROOT}/shared/.env"),
    (BUILD, every, "the slots", kill, "flask_build", f"has:{ROOT}/serve"),
    (LAUNCH, worst, "the first launch", cut_the_power, "flask_deployment", f"has:{ROOT}/run/blue.sock"),
]

# A role that is chosen when the playbook runs: Ansible doesn't list its tasks.
PARTS = {
    "Set up the database server and the services": (SERVER, DATABASE, DATABASE_USER),
    "Set up the process manager": (MANAGER,),
    "Set up the proxy": (PROXY,),
    "Set up the mail server": (MAIL,),
}


def tasks_of_site() -> list[str]:
    """Those of site.yml and of its parts, in their order."""
    return [name for task in tasks_of(SITE) for name in (task, *PARTS.get(task, ()))]


def cuts() -> Iterator[object]:
    """With FAULTS=all, the playbook is killed at each task, too, after what is cut short in that task.

    What is at work on the host then comes to its end. So the packages wait until the disk was full while they were installed.
    Where updates have another database, the first run is whole.
    """
    if SCENARIO != "faults":
        return
    tasks = list(dict.fromkeys(tasks_of_site() if EVERYTHING else [task for task, *_ in CUTS]))
    assert {task for task, *_ in CUTS}.issubset(tasks)
    waiting, installed = [], tasks[tasks.index(PACKAGES):tasks.index(ADMINS)]
    for task in tasks:
        yield from (about[1](about[2], *about[3:4], about[4:]) for about in CUTS if about[0] == task)
        waiting.append(every(f"playbook at {task}", kill_the_playbook, (task,)))
        if EVERYTHING and task not in installed:
            yield from waiting
            waiting.clear()
