# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From where the doctor looks at a host: what this computer sees of it need not be what visitors get."""

from __future__ import annotations

import ipaddress
import socket

from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.dns import resolved

SECONDS = 3.0  # for a connection


def is_itself(address: str) -> bool:
    """Whether the address is this computer's own, whose firewall lets it do everything."""
    return any(is_own(one) for one in resolved(address))


def is_own(address: str) -> bool:
    """Whether a program here could listen at an address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
            one.bind((address, 0))
            return True
    except OSError:
        return False


def is_inward(address: str) -> bool:
    """Whether visitors from anywhere could not come there: an address of a network behind something, or a name known there."""
    found = resolved(address)
    return not found or not any(ipaddress.ip_address(one.partition("%")[0]).is_global for one in found)


def answers(address: str, port: int) -> bool:
    """Whether this computer can connect there."""
    try:
        socket.create_connection((address, port), SECONDS).close()
        return True
    except OSError:
        return False


def outer_address(address: str, domain: str, port: int) -> str:
    """Where to look at a host to which ssh comes through another one; nothing where this computer sees none of its doors.

    Such a host may have an address behind that one alone, and its visitors come by its name.
    """
    if answers(address, port):
        return address
    if domain != address and not is_inward(domain):
        return domain
    return "" if is_inward(address) else address
