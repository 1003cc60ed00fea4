# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is like before anything is changed: whether it suits, and what is in use on it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from ansible_collections.selfhost.flask.plugins.module_utils.access.foreign_rules import read_rules
from ansible_collections.selfhost.flask.plugins.module_utils.access.published import own_addresses, published_ports
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.host import listeners

# Prints one `name value` a line. The last part is for a host on which no run of this collection has begun its work.
PROBE = r"""
PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" = 0 ]; then root=; else root='sudo -n'; fi
echo "now $(date +%s)"
[ -e /proc/net/if_inet6 ] && echo "ipv6 yes"
df -Pk / /var /srv 2>/dev/null | while read -r dummy dummy dummy free dummy mount; do
    [ "$free" = Available ] || echo "room $((free / 1024)) $mount"
done
$root ss -Hltnp 2>/dev/null | while read -r dummy dummy dummy place dummy users; do
    port=${place##*:} pid=${users#*pid=} pid=${pid%%,*}
    case ' PORTS ' in *" $port "*) ;; *) continue ;; esac
    unit=$(sed -n 's,^\(0:\|[0-9]*:name=systemd\):,,p' "/proc/$pid/cgroup" 2>/dev/null)
    case $unit in /user.slice/*) unit=/user.slice ;; esac
    [ -z "$unit" ] || echo "web $port ${unit##*/}"
done
ip -o addr show 2>/dev/null | sed 's/^/own /'
for program in iptables ip6tables; do
    $root $program -w -t nat -S 2>/dev/null | sed -n '/ -j DNAT /s/^/nat /p'
done
$root nft -t list ruleset 2>/dev/null | sed -n '/ dnat /s/^/nat /p'
if [ ! -d /var/lib/selfhost ]; then
    echo "new yes"
    $root ss -Htlnup 2>/dev/null | sed 's/^/listens /'
    for program in iptables ip6tables; do
        $root $program -w -S INPUT 2>/dev/null | sed "s/^/rule $program /"
    done
    $root nft -t list ruleset 2>/dev/null | sed 's/^/nft /'
    systemctl -q is-active firewalld 2>/dev/null && echo "firewalld active"
    if systemd-detect-virt -cq 2>/dev/null; then
        $root systemd-run -q --wait -p ProtectSystem=strict true >/dev/null 2>&1
        [ $? != 226 ] || echo "unconfined $(systemd-detect-virt -c)"
    fi
USED
fi
true
"""
QUIET = ("systemd", "rpcbind", "rpc.statd", "avahi-daemon", "dhclient", "dhcpcd", "NetworkManager", "chronyd", "ntpd")
BEFORE = "a rule of the kernel's table nat"  # visitors come to it before they come to a unit
MANAGER = re.compile("docker|containerd|podman")  # the unit of a container's port, where one has it
ROOTLESS = "rootlessport"  # of Podman's and Docker's, for containers that a user runs
PASSES = (
    "Containers publish port %s of %s past the firewall: Docker's rules come before ufw's. For a port that only this host "
    "needs, publish 127.0.0.1:PORT:PORT."
)
NO_NAMESPACES = (
    "A user of %s runs containers. They would not start again: the settings of the kernel let nobody but root make namespaces. "
    "If you need them, set system_sysctl: {kernel.unprivileged_userns_clone: 1}."
)


def host_probe(used_scripts: list[str], web_ports: Iterable[int] = (80, 443)) -> str:
    """What to run on the host in a shell; the scripts of the parts have $root before what only root can do."""
    return PROBE.replace("PORTS", " ".join(map(str, web_ports))).replace("USED", "\n".join([":", *used_scripts]))


def read_host(values: dict[str, list[str]], open_ports: list[int], web_ports: Iterable[int] = (80, 443)) -> dict:
    """The results, from the values that the probe printed for each name."""
    allowed = [*open_ports, *map(int, filter(None, values.get("port", [])))]
    rules, own = values.get("nat", []), own_addresses(values.get("own", []))
    passed, kept = published_ports(rules, own), published_ports(rules, own, for_visitors=True)
    found = [one for one in listeners("\n".join(values.get("listens", [])), allowed) if one["program"] not in QUIET]
    web = [dict(zip(("port", "unit"), line.split(" ", 1))) for line in sorted(set(values.get("web", [])))]
    named = [int(one["port"]) for one in web if MANAGER.search(one["unit"])]
    web += [dict(port=str(port), unit=BEFORE) for port in kept if port in web_ports and port not in named]
    room = [line.partition(" ") for line in values.get("room", [])]
    return dict(
        new="new" in values,
        ipv6="ipv6" in values,
        clock_seconds=int(int(values["now"][0]) - time.time()) if "now" in values else 0,
        room_mb={mount: int(free) for free, dummy, mount in room},
        unconfined=values.get("unconfined", [""])[0],
        web=web,
        listeners=[one for one in found if one["port"] not in passed],
        published=[port for port in passed if "new" in values and port not in allowed],
        rules=read_rules(values.get("rule", []), values.get("nft", []), "firewalld" in values),
        used=values.get("used", []),
        blocked=values.get("blocked", []),
    )


def warn_of(found: dict, name: str) -> list[str]:
    """What a person should know of a host whose firewall is not all that decides."""
    ports = " and ".join(map(str, found["published"]))
    rootless = [one for one in found["listeners"] if one["program"] == ROOTLESS]
    return ([PASSES % (ports, name)] if ports else []) + ([NO_NAMESPACES % name] if rootless else [])
