"""The inventory of a Raspberry Pi on an emulated processor with little memory: from a bare host to an update."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import ROOT, Machine, Visitor
from testinfra.host import Host
from used_memory import MEMORY
from wheels import PLATFORMS, make_wheel, served, write_pages

PROCESSORS = {"arm64": ("aarch64", 64), "armhf": ("armv7l", 32)}  # the kernel's name, bits
PROCESSOR = os.environ.get("PI_PROCESSOR", "arm64")
PYTHON = f"{ROOT}/current/.venv/bin/python"
ABOUT = "import os, struct; print(os.uname().machine, 8 * struct.calcsize('P'))"
TAG = "cp311-cp311"  # Debian 12's Python
IGNORED = ["updates-pending", "name-unresolved"]  # nobody answers for .local here
QUIET = "journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet"  # what the first minutes of a host had to say


def findings(play: Callable[..., str], tmp_path: Path) -> list[str]:
    """The doctor's names for what is wrong."""
    report = tmp_path / "report.json"
    options = {"doctor_json": str(report), "doctor_ignored": IGNORED, "doctor_fail_on": "never"}
    play("doctor.yml", "-e", json.dumps(options))
    return [one["id"] for one in json.loads(report.read_text())[0]["findings"]]


def test_a_bare_host_serves(play: Callable[..., str], measured: Callable, visitor: Visitor) -> None:
    with measured("site.yml on the bare host"):
        play("site.yml")
    assert visitor.get("/healthz").json()["version"] == "v1"
    assert visitor.get("/static/style.css").ok


def test_nothing_is_left_to_do(play: Callable[..., str], measured: Callable) -> None:
    with measured("site.yml again"):
        assert "changed=0 " in play("site.yml")


def test_it_is_served_by_the_other_processor(host: Host) -> None:
    name, bits = PROCESSORS[PROCESSOR]
    assert host.check_output(f'{PYTHON} -c "{ABOUT}"') == f"{name} {bits}"


def test_a_compiled_package_was_there_ready_made(host: Host) -> None:
    assert not host.exists("gcc")
    assert host.run(f"{PYTHON} -c 'import markupsafe._speedups'").succeeded


def test_the_finished_host_fits(at_rest: Callable[[str], float]) -> None:
    assert at_rest("afterwards") < MEMORY / 2  # an update needs room beside it


def test_posts_outlive_an_update_with_a_migration(play: Callable[..., str], measured: Callable, visitor: Visitor) -> None:
    assert visitor.post("/posts", data={"body": "from home"}).status_code == 201
    with measured("update with a migration"):
        play("update.yml", "-e", "flask_version=v2")
    assert visitor.get("/healthz").json()["version"] == "v2"
    assert "from home" in visitor.get("/").text


@pytest.mark.skipif(PROCESSOR != "armhf", reason="with 64 bits, PyPI has what is needed")
def test_an_index_like_piwheels_is_used_where_it_has_the_pins(
    play: Callable[..., str], measured: Callable, machine: Machine, host: Host, tmp_path: Path
) -> None:
    """What it has, comes from there; what it has in other versions, or for another Python, from PyPI."""
    index = tmp_path / "simple"
    for platform in PLATFORMS:
        make_wheel(index, "guestbookpins", "1.0", f"{TAG}-{platform}", "ORIGIN = 'the index'")
        make_wheel(index, "markupsafe", "2.1.5", f"{TAG}-{platform}", "ORIGIN = 'the index'")
        make_wheel(index, "markupsafe", "3.0.4", f"cp39-cp39-{platform}", "ORIGIN = 'the index'")
    write_pages(index)
    with served(tmp_path, machine.own_address()) as url, measured("update with packages of an index for 32 bits"):
        wanted = {"app_extra_packages": ["guestbookpins==1.0"], "app_index_strategy": "unsafe-best-match"}
        play("update.yml", "-e", json.dumps(dict(wanted, app_extra_index_urls=[f"{url}/simple"], flask_version="v2")))
    assert host.check_output(f"{PYTHON} -c 'import guestbookpins; print(guestbookpins.ORIGIN)'") == "the index"
    assert host.run(f"{PYTHON} -c 'import markupsafe._speedups'").succeeded


def test_the_doctor_finds_nothing(play: Callable[..., str], machine: Machine, tmp_path: Path) -> None:
    assert machine.inside(QUIET).returncode == 0
    assert findings(play, tmp_path) == []
