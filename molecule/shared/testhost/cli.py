"""The command line of the test hosts."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence

from . import __doc__ as OVERVIEW
from . import host
from .image import SUITES
from .machine import TestHostError, install_packages

COMMON_ARGS = "-o StrictHostKeyChecking=yes -o UserKnownHostsFile={path}"


def _up(options: argparse.Namespace) -> None:
    started = host.up(options.name, options.image, options.login, options.memory)
    print(json.dumps(dataclasses.asdict(started)))


def _down(options: argparse.Namespace) -> None:
    names = [found.name for found in host.hosts()] if options.all else options.name
    if not names and not options.all:
        raise TestHostError("name the hosts to remove, or give --all")
    for name in names:
        host.remove(name)


def _list(_: argparse.Namespace) -> None:
    states = host.states()
    for found in host.hosts():
        state = states.get(host.container_of(found.name), "missing")
        print(f"{found.name:20} {found.address:15} {found.user:6} {state:10} {found.image}")


def _exec(options: argparse.Namespace) -> None:
    argv = host.exec_argv(options.name, options.command)
    sys.stdout.flush()
    os.execvp(argv[0], argv)


def _reboot(options: argparse.Namespace) -> None:
    host.reboot(options.name)


def _kill(options: argparse.Namespace) -> None:
    host.kill(options.name)


def _start(options: argparse.Namespace) -> None:
    host.start(options.name)


def _inventory_of(name: str) -> dict[str, object]:
    found = host.find(name)
    return {
        "ansible_host": found.address,
        "ansible_port": found.port,
        "ansible_user": found.user,
        "ansible_ssh_private_key_file": found.key,
        "ansible_ssh_common_args": COMMON_ARGS.format(path=host.known_hosts_of(name)),
    }


def _inventory(options: argparse.Namespace) -> None:
    print("all:\n  hosts:")
    for name in options.name:
        print(f"    {name}:")
        for key, value in _inventory_of(name).items():
            print(f"      {key}: {json.dumps(value)}")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("testhost", description=OVERVIEW, formatter_class=form)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, action: object, text: str, names: str | None = None) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        if names is not None:
            command.add_argument("name", metavar="NAME", nargs=names or None, help="the host's name")
        return command

    up = add("up", _up, "start a host and print how to reach it, as JSON", "")
    up.add_argument("--image", choices=SUITES, default="debian-12", help="default: %(default)s")
    up.add_argument("--login", choices=("root", "debian"), default="root", help="who may log in first: root, or debian with sudo")
    up.add_argument("--memory", default="2g", help="the host's memory; default: %(default)s")
    down = add("down", _down, "remove hosts", "*")
    down.add_argument("--all", action="store_true", help="every host of this checkout")
    add("list", _list, "show the hosts of this checkout")
    command = add("exec", _exec, "run a command in a host, as root, without ssh", "")
    command.add_argument("command", metavar="CMD", nargs="+", help="after --")
    add("reboot", _reboot, "shut a host down, start it, and wait for its sshd", "")
    add("kill", _kill, "cut a host's power", "")
    add("start", _start, "start a host that was killed, and wait for its sshd", "")
    add("inventory", _inventory, "print an inventory for Ansible, as YAML", "+")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        install_packages()
        options.action(options)
    except TestHostError as error:
        print(f"testhost: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
