"""site.yml is interrupted on a bare host, again and again: each run goes on from what the last one has left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cuts import EVERYTHING, cuts
from interruptions import SITE
from machine import ROOT, Machine
from playbook import run, spoken

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


@pytest.mark.parametrize(("happens", "words"), [*cuts()])
def test_bare_host(machine: Machine, happens: Callable, words: tuple) -> None:
    happens(machine, *words)


def test_bare_host_serves(machine: Machine) -> None:
    """The run that nothing happens to makes up for all of them; the doctor finds nothing, and no more is to do."""
    answer = run(SITE)
    assert answer.returncode == 0, spoken(answer)
    assert "is healthy: " in spoken(answer), spoken(answer)
    assert "changed=0" in spoken(run(SITE if EVERYTHING else "provision.yml"))
    assert machine.inside(LEFT_BEHIND).stdout == ""
    assert machine.answers()
