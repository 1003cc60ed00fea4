"""A container that may make no namespaces: no service of the stack would start in it."""

from __future__ import annotations

from machine import Machine
from playbook import run, spoken

INSTALLED = "dpkg-query -f '${Package} ${Version}\\n' -W; find /etc -type f -exec sha256sum {} + | sort; ls /var/lib /srv"


def test_it_is_refused_before_anything_is_touched(lxc: Machine) -> None:
    assert lxc.inside("systemd-run --quiet --wait -p ProtectSystem=strict true").returncode == 226
    before = lxc.inside(INSTALLED).stdout
    answer = run("site.yml", "--limit", lxc.name)
    said = spoken(answer)
    assert answer.returncode != 0 and f"systemd can't confine services on {lxc.name}" in said, said
    assert "on Proxmox by `pct set ID --features nesting=1`" in said and f"Nothing was changed on {lxc.name}." in said
    assert lxc.inside(INSTALLED).stdout == before != ""
