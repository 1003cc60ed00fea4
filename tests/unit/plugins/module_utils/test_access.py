# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a change; what they do to a host is in molecule/access."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access import access as access_access
from ansible_collections.selfhost.flask.plugins.module_utils.access import firewall as access_firewall
from ansible_collections.selfhost.flask.plugins.module_utils.access.access import Access, Refused

ALLOW, ENABLE = ["ufw", "allow", "22/tcp"], ["ufw", "--force", "enable"]


NOBODY = SimpleNamespace(
    folder="/none", accounts=list, farewells=list, files=dict, guarded=list, notes=list,
    place=lambda path: (), check_sudoers=lambda: None, run=lambda commands: None,
)  # administrators for whom there is nothing to do


class Guard:
    """A guard that notes what it is told, and whose change is gone after some steps."""

    def __init__(self, steps, said):
        self.steps, self.said = steps, said

    def arm(self, paths, before, deadline):
        assert before["MEMBERS"] == ""
        assert before.get("POLICIES") == ("iptables -P INPUT DROP" if before["FIREWALL"] == "inactive" else None)
        self.said.append("arm")
        return "token"

    def start_clock(self):
        self.steps -= 1
        return self.steps >= 0

    def release(self):
        self.said.append("release")

    def revert(self):
        self.said.append("revert")


@pytest.fixture
def access(monkeypatch):
    """A change whose parts only say that they were done."""

    def access(steps, status="inactive", files=()):
        made, said = Access.__new__(Access), []
        made.guard, made.params, made.unit, made.keys = Guard(steps, said), {"deadline": 60}, "ssh.service", []
        made.admins = NOBODY
        made.files = dict.fromkeys(files)
        answers = dict(wanted_settings={}, firewall_state=status, _future_ports=[22],
                       firewall_commands=[ALLOW, ENABLE], _guarded_paths=[])
        for name, answer in answers.items():
            monkeypatch.setattr(made, name, lambda *ignored, answer=answer: answer)
        monkeypatch.setattr(access_access.firewall, "policies", lambda module: "iptables -P INPUT DROP")
        made.module = None
        for name in ("check_users", "check_overrides", "_look_at_files"):
            monkeypatch.setattr(made, name, lambda *ignored: None)
        monkeypatch.setattr(made, "_write", lambda *ignored: said.append("write"))
        monkeypatch.setattr(made, "_put_into_effect", lambda: said.append("reload"))
        monkeypatch.setattr(made, "_run", lambda command: said.append(command[-1]))
        return made, said

    return access


def test_a_change_is_made_step_by_step(access):
    made, said = access(4)
    assert made.apply() == ("token", [22], [ALLOW, ENABLE])
    assert said == ["arm", "write", "22/tcp", "enable", "reload"]


@pytest.mark.parametrize("status, files, steps", [
    ("active", [access_firewall.DEFAULTS], ["reload", "22/tcp", "enable"]),
    ("active", ["another"], ["22/tcp", "enable"]),
    ("inactive", [access_firewall.DEFAULTS], ["22/tcp", "enable"]),
])
def test_a_firewall_at_work_has_ipv6_before_its_rules(status, files, steps, access):
    made, said = access(9, status, files)
    made.apply()
    assert said == ["arm", "write", *steps, "reload"]


@pytest.mark.parametrize("steps", range(4))
def test_nothing_is_changed_any_more_once_nobody_could_take_it_back(steps, access):
    made, said = access(steps)
    with pytest.raises(Refused, match="nothing would undo the change"):
        made.apply()
    assert said == ["arm", "write", "22/tcp", "enable", "reload"][: 2 + steps] + ["release", "revert"]


ADDED = "ufw limit 22/tcp comment 'selfhost:ssh'\nufw allow 9/tcp comment 'mine'\n"


@pytest.fixture
def firewall(monkeypatch, tmp_path):
    """The commands for ufw, on a host whose settings are these."""

    def firewall(settings, status="active", enabled=True):
        said = {"show": ADDED, "status": "Status: %s\n" % status}
        made = Access.__new__(Access)
        broken = status is None  # ufw says so where it has no chains for IPv6
        made.module = SimpleNamespace(
            check_mode=False,
            run_command=lambda command: (1, "", "ERROR: problem running ip6tables") if broken and command[1] == "status"
            else (0, said[command[1]], ""),
        )
        options = dict(enabled=enabled, owner="blog", incoming=[], ssh_limit=True, outgoing=[], outgoing_policy="allow")
        made.params = dict(sshd_path=str(tmp_path / "sshd.conf"), port=None, firewall=options, moduli_bits=3071,
                           main_config="")
        made.config, made.unit, made.has_ufw, made.admins = None, "ssh.service", True, NOBODY
        (tmp_path / "ufw").write_text(settings + 'DEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n')
        monkeypatch.setattr(access_access.firewall, "DEFAULTS", str(tmp_path / "ufw"))
        monkeypatch.setattr(access_access.firewall, "ADDRESSES", str(tmp_path))
        monkeypatch.setattr(access_access.sshd, "MODULI", str(tmp_path / "moduli"))
        made._look_at_files()
        return [" ".join(command[1:]) for command in made.firewall_commands([22])]

    return firewall


BOTH = ["limit 22/tcp comment selfhost:ssh", "allow 9/tcp comment mine"]


def test_rules_from_a_time_without_ipv6_are_in_effect_for_it_before_the_proof(firewall):
    assert firewall("IPV6=no\n") == BOTH
    assert firewall("IPV6=no\n", "inactive") == [*BOTH, "--force enable"]


def test_a_firewall_that_does_not_answer_is_no_reason_to_go_on(firewall):
    with pytest.raises(Refused, match="`ufw status` failed .*problem running ip6tables"):
        firewall("IPV6=yes\n", None)


def test_a_firewall_of_somebody_elses_is_left_alone(firewall):
    assert firewall("IPV6=yes\n", "inactive", enabled=False) == []


def test_rules_for_both_families_stay_as_they_are(firewall):
    assert firewall("IPV6=yes\n") == []


def test_users_with_keys_from_elsewhere_are_not_shut_out_in_silence(monkeypatch):
    made = Access.__new__(Access)
    made.module, made.config = None, "AllowGroups sudo\n"
    monkeypatch.setattr(made, "effective", lambda: {"authorizedkeyscommand": ["/usr/bin/keys"]})
    with pytest.raises(Refused, match="AuthorizedKeysCommand /usr/bin/keys, and could shut out .*name AuthorizedKeysC"):
        made.check_users({"allowgroups": ["sudo"]})


@pytest.fixture
def warned(monkeypatch):
    """What is said about a host with a Match block and a rule from before the limit."""
    found = [("/etc/ssh/sshd_config.d/bob.conf", "Match User bob", "PasswordAuthentication yes")]
    monkeypatch.setattr(access_access.sshd_exceptions, "exceptions", lambda wanted: found)

    def warned(limit):
        made = Access.__new__(Access)
        made.module, made.params = None, {"firewall": {"enabled": True, "ssh_limit": limit}}
        made.rules = {("allow", "22"): "", ("limit", "22/tcp"): "selfhost:ssh"}
        return made.warnings({}, [22])

    return warned


def test_what_others_left_open_is_said(warned):
    block, limit = warned(True)
    assert "bob.conf has `Match User bob`, and in it PasswordAuthentication yes. Remove that" in block
    assert "`ufw allow 22` comes first" in limit and "`sudo ufw delete allow 22`" in limit
    assert warned(False) == [block]


def test_a_file_in_another_encoding_stays_as_it_is_but_for_the_change(monkeypatch, tmp_path):
    (tmp_path / "ufw").write_bytes(b"# d\xe9sactiv\xe9\nIPV6=no\n")
    text = access_access.content(str(tmp_path / "ufw"))
    made = Access.__new__(Access)
    made.files, made.keys, made.admins = {str(tmp_path / "ufw"): (text, text.replace("no", "yes"))}, [], NOBODY
    monkeypatch.setattr(made, "_run", lambda command: None)
    written = []
    monkeypatch.setattr(access_access, "write_file", lambda path, data, *ignored: written.append(data))
    made._write({})
    assert written == [b"# d\xe9sactiv\xe9\nIPV6=yes\n"]
    json.dumps(made.diff([]), ensure_ascii=False).encode()
