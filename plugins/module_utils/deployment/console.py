# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator does on the host by the application's command: its logs, its status, its database, a restart."""

from __future__ import annotations

import argparse
import os
import pwd
import sys

from ansible_collections.selfhost.flask.plugins.module_utils.database import clients
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.restart import NotRestarted, restart
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import SLOTS, Slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.status import status, table
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

ENTRIES = 15  # of what was deployed when
BUSY = "%(owner)s is at work on the application: %(reason)s. Nothing was changed; try again when that has ended."


def say(lines: list) -> None:
    """For whoever typed the command."""
    sys.stdout.write("\n".join(lines) + "\n")


def say_status(site: Site, dummy: argparse.Namespace) -> None:
    """Prints what is served, and what was deployed when."""
    say(table(status(site, ENTRIES)))


def show_logs(site: Site, args: argparse.Namespace) -> None:
    """Becomes the program that prints the ends of the logs, and goes on with what is added to them."""
    paths = [path for path in logs_of(site, args.follow) + args.also if os.path.exists(path)]
    if not paths:
        raise NotRestarted("There are no logs in %s yet. Deploy a version first." % site.log)
    follow = ["--follow=name", "--retry"] if args.follow else []
    os.execvp("tail", ["tail", "--verbose", "--lines=%d" % args.lines, *follow, "--", *paths])


def logs_of(site: Site, follow: bool) -> list:
    """The logs of the slot that is live, of the workers and of the jobs; those who follow see the other slot's after a switch."""
    idle = "" if follow else Slots(site).idle() + ".log"
    found = sorted(name for name in os.listdir(site.log) if name.endswith(".log") and name != idle)
    first = ["deploy.log"] + [slot + ".log" for slot in SLOTS]
    return [os.path.join(site.log, name) for name in sorted(found, key=lambda name: name in first)]


def open_database(site: Site, dummy: argparse.Namespace) -> None:
    """Becomes the database's own client, as the application's user, with the application's login."""
    argv, environment = clients.client_of(site)
    environment = dict(os.environ, HOME=pwd.getpwnam(site.name).pw_dir, **environment)
    os.chdir("/")
    os.execvpe("runuser", ["runuser", "-u", site.name, "--", *argv], environment)


def restart_release(site: Site, dummy: argparse.Namespace) -> None:
    """Launches the served release again, as nobody else changes the application."""
    by = "%s@%s" % (os.environ.get("SUDO_USER", "root"), os.uname().nodename)
    own = "host-%d" % os.getpid()
    holder = Lock(site).take(dict(id=own, owner=by, reason="a restart", machine="", process=os.getpid(), started=""), [])
    if holder:
        raise NotRestarted(BUSY % holder)
    try:
        with step(site.root):
            recover(site)
            site = site._replace(workers=tuple(name.partition(".")[2] for name in Slots(site).known_workers()))
            problems = restart(site, by)
    finally:
        Lock(site).release(own)
    slots = Slots(site)
    live = slots.live()
    say(problems + ["%s was restarted, in the slot %s." % (site.release_name(slots.release(live)), live)])


def parsed(argv: list) -> argparse.Namespace:
    """The folder and the logs' folder, which the application's command knows, and what a person typed."""
    parser = argparse.ArgumentParser(prog="flask-" + os.path.basename(argv[0]))
    parser.add_argument("root", help=argparse.SUPPRESS)
    parser.add_argument("log", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    logs = commands.add_parser("logs", help="the ends of the logs: slots, workers, jobs, deployments, web server")
    logs.add_argument("--also", action="append", default=[], help=argparse.SUPPRESS)
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what is added to them")
    logs.add_argument("-n", "--lines", type=int, default=20, metavar="LINES", help="how many of each (20)")
    commands.add_parser("status", help="what is served, and what was deployed when")
    commands.add_parser("dbshell", help="the database's client, with the application's login")
    commands.add_parser("restart", help="launch the served version again; no request fails")
    return parser.parse_args(argv)


RUN = dict(logs=show_logs, status=say_status, dbshell=open_database, restart=restart_release)


def main(argv: list) -> None:
    """Does what was typed."""
    args = parsed(argv)
    site = Site(os.path.basename(args.root), args.root, args.log)
    try:
        RUN[args.command](site, args)
    except (NotRestarted, Busy, clients.NoClient) as error:
        raise SystemExit(str(error)) from error
