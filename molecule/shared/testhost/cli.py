"""The command line of the test hosts."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence

from . import __doc__ as OVERVIEW
from . import host
from .image import SUITES
from .machine import TestHostError, install_packages

VALID_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,40}[a-z0-9])?")
LOGINS = ("root", "debian", "ubuntu", "vagrant", "pi")
SSH_OPTIONS = "-o StrictHostKeyChecking=yes -o UserKnownHostsFile={path}"


def _up(options: argparse.Namespace) -> None:
    if options.virtual and options.partition:
        raise TestHostError("--partition is for containers: a virtual machine has one disk")
    if options.virtual and options.no_namespaces:
        raise TestHostError("--no-namespaces is for containers: a virtual machine has a kernel of its own")
    wanted = (options.image, options.login, options.memory, options.partition)
    kind = {"is_virtual": options.virtual, "bounds": options.bounds, "namespaces": not options.no_namespaces}
    started = host.up(options.name, *wanted, **kind)
    print(json.dumps(dataclasses.asdict(started)))


def _down(options: argparse.Namespace) -> None:
    if options.all:
        host.down_all()
    elif not options.names:
        raise TestHostError("name the hosts to remove, or give --all")
    for name in options.names:
        host.down(name)


def _list(_: argparse.Namespace) -> None:
    states = host.states()
    for found in host.hosts():
        state = states.get(found.name, "missing")
        print(f"{found.name:20} {found.address:15} {found.user:8} {state:10} {found.image}")


def _exec(options: argparse.Namespace) -> None:
    host.execute(options.name, options.command)


def _reboot(options: argparse.Namespace) -> None:
    host.reboot(options.name)


def _kill(options: argparse.Namespace) -> None:
    host.kill(options.name)


def _start(options: argparse.Namespace) -> None:
    host.start(options.name)


def _inventory_of(found: host.Host) -> dict[str, object]:
    return {
        "ansible_host": found.address,
        "ansible_port": found.port,
        "ansible_user": found.user,
        "ansible_ssh_private_key_file": found.key,
        "ansible_ssh_common_args": SSH_OPTIONS.format(path=host.known_hosts_of(found.name)),
    }


def _inventory(options: argparse.Namespace) -> None:
    lines = ["all:", "  hosts:"]
    for found in map(host.find, options.names):
        lines.append(f"    {found.name}:")
        variables = _inventory_of(found).items()
        lines += [f"      {key}: {json.dumps(value)}" for key, value in variables]
    print("\n".join(lines))


def _host_name(text: str) -> str:
    if not VALID_NAME.fullmatch(text):
        message = f"'{text}' is no host name: lower-case letters, digits, dots and hyphens"
        raise argparse.ArgumentTypeError(message)
    return text


def _memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[kmg]?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no size such as 512m or 2g")
    return text


def _add_up_options(command: argparse.ArgumentParser) -> None:
    image = "the distribution, and the processor if it is another one; default: %(default)s"
    login = "who may log in first: root, or another, who has sudo; default: %(default)s"
    memory = "the host's memory, such as 1g; default: %(default)s"
    command.add_argument("--image", choices=SUITES, default="debian-12", help=image)
    command.add_argument("--login", choices=LOGINS, default="root", help=login)
    command.add_argument("--memory", type=_memory, default="2g", help=memory)
    partition = "a folder that is a file system of its own, such as /var; may be repeated"
    command.add_argument("--partition", action="append", default=[], metavar="PATH", help=partition)
    bounds = "its systemd can bound memory, processors and tasks of units, whatever cgroups this machine has; not from Debian 13 on"
    command.add_argument("--bounds", action="store_true", help=bounds)
    namespaces = "its systemd can't confine services, as in an LXC container without nesting"
    command.add_argument("--no-namespaces", action="store_true", help=namespaces)
    virtual = "a virtual machine with a kernel of its own, by QEMU, in place of a container"
    command.add_argument("--virtual", action="store_true", help=virtual)


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("testhost", description=OVERVIEW, formatter_class=form)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, action: Callable[..., None], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        return command

    up = add("up", _up, "start a host and print how to reach it, as JSON")
    down = add("down", _down, "remove hosts")
    add("list", _list, "show the hosts of this checkout")
    execute = add("exec", _exec, "run a command in a host, as root, without ssh")
    reboot = add("reboot", _reboot, "shut a host down, start it, and wait for its sshd")
    kill = add("kill", _kill, "cut a host's power")
    start = add("start", _start, "start a host that was killed, and wait for its sshd")
    inventory = add("inventory", _inventory, "print an inventory for Ansible, as YAML")

    for command in (up, execute, reboot, kill, start):
        command.add_argument("name", metavar="NAME", type=_host_name, help="the host's name")
    for command, count in ((down, "*"), (inventory, "+")):
        command.add_argument("names", metavar="NAME", type=_host_name, nargs=count, help="hosts")
    _add_up_options(up)
    down.add_argument("--all", action="store_true", help="every host of this checkout")
    execute.add_argument("command", metavar="CMD", nargs="+", help="the command, after --")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        install_packages()
        options.action(options)
    except TestHostError as error:
        print(f"testhost: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
