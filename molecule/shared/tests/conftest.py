"""Each test runs on each host of the scenario; where one fails, it shows the host's logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from baseline import Facts, ask
from machine import APP, Application, Machine, Visitor, machines, scenario_state, wait_for
from testinfra.host import Host

LAST = ("removed", "exhausted")
LOGS = """
journalctl --no-pager --lines 200 --output short-iso | grep -v ' sudo\\[' | tail -n 40
for log in /var/log/$1/*.log /var/log/nginx/$1.error.log /var/log/supervisor/supervisord.log; do
    [ ! -f $log ] || { echo; echo "$log:"; tail -n 30 $log; }
done
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One host after the other, each with all the tests."""
    if "machine" in metafunc.fixturenames:
        hosts = machines()
        names = [host.name for host in hosts]
        metafunc.parametrize("machine", hosts, ids=names, scope="session")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds the ends of the host's logs to a failure."""
    report = (yield).get_result()
    for machine in getattr(item, "funcargs", {}).values() if report.failed else ():
        if isinstance(machine, Machine):
            app = machine.app if isinstance(machine, Application) else APP
            report.sections.append((f"logs of {app} on {machine.name}", machine.inside(LOGS, app).stdout))


@pytest.fixture
def host(machine: Machine) -> Host:
    """The host as its administrator reaches it, with sudo."""
    return machine.shell()


@pytest.fixture(scope="session")
def facts(machine: Machine) -> Facts:
    """What the host says of itself, asked once."""
    return ask(machine.shell())


@pytest.fixture
def visitor(machine: Machine) -> Visitor:
    """Somebody with a browser."""
    return machine.visitor()


@pytest.fixture
def mail_to() -> Callable[[str], str]:
    """Waits for the message to an address that leaves the host."""

    def find(recipient: str) -> str | None:
        messages = (path.read_text() for path in Path(scenario_state(), "mail").glob("*.eml"))
        return next((text for text in messages if f"\nTo: {recipient}" in text), None)

    return lambda recipient: wait_for(lambda: find(recipient), f"mail to {recipient}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What gives the host another application comes late, and what leaves nothing for others to look at comes last."""
    items.sort(key=lambda item: [name in item.path.parts for name in LAST])
