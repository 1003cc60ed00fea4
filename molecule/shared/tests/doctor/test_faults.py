"""Each fault is found by its name, with nothing beside it, and is gone when it is undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import QUIET, done, exposure
from faults import FAULTS, FORGET, Fault
from machine import Machine, wait_for
from remedies import carry_out


def settled(examine: Callable, expected: set, fault: Fault) -> list:
    """The findings become these: some faults need a moment."""
    last: list = []

    def found() -> bool:
        last[:] = examine(fault.inside, fault.outside)
        return {one.id for one in last} == expected

    try:
        wait_for(found, fault.name, seconds=45)
    except AssertionError:
        raise AssertionError(f"{fault.name}: {last} instead of {expected}") from None
    return last


def test_a_host_that_is_well_has_no_findings(examine: Callable) -> None:
    assert examine({}, {}, ()) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_is_found_and_mended_by_its_remedy(fault: Fault, patient: Machine, examine: Callable) -> None:
    expected = set(fault.findings.split())
    try:
        done(patient, fault.inject)
        found = settled(examine, expected, fault)
        mended = carry_out(patient, found) if fault.inject != "true" else set()
        if mended:
            left = expected if fault.left == "all" else expected - mended | set(fault.left.split())
            settled(examine, left, fault)
    finally:
        done(patient, f"{fault.undo}\n{QUIET}")


def test_what_sshd_does_is_found_from_outside_though_its_files_do_not_say_so(
    patient: Machine, examine: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposure, "OTHERS", 2)
    begin = "printf 'Match User root\\nPasswordAuthentication yes\\n' >/etc/ssh/sshd_config.d/00-a.conf"
    try:
        done(patient, f"{begin} && systemctl restart ssh; rm /etc/ssh/sshd_config.d/00-a.conf")
        (found,) = examine({}, {})
        assert found.id == "ssh-password-login" and "passwords of root" in found.what
    finally:
        done(patient, f"systemctl restart ssh\n{QUIET}")


def test_an_error_in_the_journal_is_found(patient: Machine, examine: Callable) -> None:
    done(patient, FORGET)
    done(patient, "systemd-cat -t heron -p err echo out of luck")
    (found,) = wait_for(lambda: examine({}, {}, ()), "the error")
    assert found.id == "journal-errors" and "heron: out of luck" in found.what
    done(patient, FORGET)


def test_the_host_is_well_again(examine: Callable) -> None:
    settled(lambda inside, outside: examine(inside, outside, ()), set(), Fault("well", ""))
