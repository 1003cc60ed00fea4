"""What a host still has of an application that was removed."""

from __future__ import annotations

from machine import Machine

# By its name anywhere, or in what others read; $1 is the name.
LOOK = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /var/log/journal \) -prune -o -name "*$1*" -print
find /run /dev/shm -xdev -name "*$1*" -print
grep -rIlw --exclude='*-' "$1" /etc /var/lib/selfhost /var/spool /usr/local/sbin || true
getent passwd "$1" || true
getent group "$1" || true
systemctl list-units --all --plain --no-legend --no-pager | grep -F "$1" || true
ufw show added | grep -E "selfhost:([a-z,]*,)?$1(,|'|$)" || true
find / -xdev \( -path /proc -o -path /sys \) -prune -o \( -nouser -o -nogroup \) -print
"""


def remains_of(machine: Machine, app: str) -> list[str]:
    """Files, accounts, units and rules that have an application's name, and files that nobody owns any more."""
    looked = machine.inside(LOOK, app)
    assert looked.returncode == 0, looked.stderr
    return looked.stdout.splitlines()
