"""Types the commands of a finding's remedy on the host, as somebody would who does what the doctor says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from machine import Machine

if TYPE_CHECKING:
    from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding

COMMAND = re.compile(r"`(sudo [^`]+)`")
READS = re.compile(r"sudo (-u www-data namei|tail|dmesg|journalctl|du|grep|nginx -T|sshd -[tT]|ufw status|fail2ban-client -t)\b")
# The host reboots in the scenario `default`; the distribution's updates are not this collection's to try.
NOT_HERE = ("sudo reboot", "sudo apt-get")


def carry_out(machine: Machine, found: list[Finding]) -> set[str]:
    """Types what the remedies say; the findings that this is to mend."""
    mended = set()
    for finding in found:
        for command in COMMAND.findall(finding.remedy):
            if not command.startswith(NOT_HERE):
                machine.inside(command)
                mended |= set() if READS.match(command) else {finding.id}
    return mended
