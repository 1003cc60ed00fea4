"""Each test is a fault in an update of the application, which serves v2 before and after it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from cuts import EVERYTHING, SCENARIO
from machine import APP, STATE, Machine, wait_for
from playbook import run, spoken
from update import OLD, Story, go_back
from versions import add_versions

ROWS = 100
TABLE = pytest.StashKey[list[tuple[str, str, str, float]]]()
SEED = """
cd /
if command -v psql >/dev/null; then
    runuser -u postgres -- psql -Xq "$1" -c "INSERT INTO posts (body, created_at)
        SELECT CONCAT(SHA256(CAST(n AS TEXT)::bytea), SHA256(CAST(-n AS TEXT)::bytea)), NOW() FROM generate_series(1, $2) n"
else
    mysql "$1" -e "INSERT INTO posts (body, created_at)
        SELECT CONCAT(SHA2(seq, 256), SHA2(-seq, 256)), NOW() FROM seq_1_to_$2"
fi
"""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every: not the worst step of its fault; runs where FAULTS is all")
    config.stash[TABLE] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The short run has every fault at its worst step."""
    if not EVERYTHING:
        left_out = [item for item in items if item.get_closest_marker("every")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("every")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of all faults, also as a file."""
    rows = [("fault", "step", "outcome", "seconds")]
    rows += [(*words, f"{seconds:.1f}") for *words, seconds in config.stash[TABLE]]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() for row in rows]
    terminalreporter.section("faults: what became of them, and in how many seconds")
    terminalreporter.write_line("\n".join(lines))
    (STATE / f"{SCENARIO}.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def second_version(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """v2 is served, with posts."""
    add_versions(tmp_path_factory.mktemp("versions"))
    begin_with_second_version(machine)
    assert machine.inside(SEED, APP, str(ROWS)).returncode == 0


def begin_with_second_version(machine: Machine) -> None:
    """By a rollback where a later version is served, which is what a user would do."""
    served = machine.visitor().get("/healthz").json()["version"]
    if served not in ("v1", "v2"):
        go_back()
    elif served == "v1":
        answer = run("update.yml", "-e", "flask_version=v2")
        assert answer.returncode == 0, spoken(answer)


@pytest.fixture
def story(request: pytest.FixtureRequest, machine: Machine, second_version: None) -> Iterator[Story]:
    """A fault is told in it, after which the next good update converges."""
    wait_for(machine.answers, "an answer of the application")
    wait_for(Story(machine).is_settled, "an end of what the test before has begun")
    begin_with_second_version(machine)
    told = Story(machine)
    assert told.before["revision"] == [OLD]
    try:
        with told.guests:
            yield told
            if not request.node.stash.get(PASSED, False):
                told.outcome = "NOT AS PROMISED"
                return
            if is_followed(request.config, told.outcome):
                told.outcome, outcome = "NO UPDATE AFTERWARDS", told.outcome
                told.assert_next_update_converges()
                told.outcome = outcome
    finally:
        note(request, machine, told.outcome, told.seconds)


def is_followed(config: pytest.Config, outcome: str) -> bool:
    """Whether a good update comes next. The short run has one after each kind of outcome; after others, the next fault's."""
    known = config.stash[TABLE]
    return EVERYTHING or outcome not in (row[2] for row in known)


def note(request: pytest.FixtureRequest, machine: Machine, outcome: str, seconds: float) -> None:
    """Adds a row to the table: a test's name, and its case without the host's name."""
    name, _, rest = request.node.name.removeprefix("test_").partition("[")
    step = rest.removesuffix("]").removeprefix(machine.name).lstrip("-")
    request.config.stash[TABLE].append((name.replace("_", " "), step, outcome, seconds))


@pytest.fixture
def noted(request: pytest.FixtureRequest, machine: Machine) -> Iterator[None]:
    """A test that is a row of the table by itself."""
    begin = time.time()
    yield
    passed = request.node.stash.get(PASSED, False)
    note(request, machine, "the next run goes on" if passed else "NOT AS PROMISED", time.time() - begin)


PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Whether a test has passed, for its fixtures."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report
