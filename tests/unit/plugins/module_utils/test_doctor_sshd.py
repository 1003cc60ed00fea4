# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor makes of sshd's configuration, with the conditions in it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import sshd
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Said
from findings import ids

WHOLE = "port 22\nPasswordAuthentication no\npermitrootlogin no\nauthenticationmethods any\n"
SHADOW = "root:*:1::\nana:!:1::\nbob:$y$j9T$x:1::\nsftp:$y$j9T$y:1::\ndaemon:*:1::\nlocked:!$y$z:1::\n"
SHELLS = dict(root="/bin/bash", ana="/bin/bash", bob="/bin/bash", sftp="/usr/sbin/nologin", daemon="/usr/sbin/nologin")


@pytest.mark.parametrize("effective, expected", [
    (WHOLE, []),
    ("PasswordAuthentication yes\npermitrootlogin no\n", ["ssh-password-login"]),
    ("kbdinteractiveauthentication yes\npermitrootlogin prohibit-password\n", ["ssh-password-login", "ssh-root-login"]),
    ("kbdinteractiveauthentication yes\nauthenticationmethods publickey,keyboard-interactive\n", []),
    ("kbdinteractiveauthentication yes\nauthenticationmethods publickey keyboard-interactive\n", ["ssh-password-login"]),
])
def test_the_whole(effective, expected):
    assert ids(sshd.everybody(sshd.values_of(effective))) == expected


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with these users; what sshd would say of some of them, and the files of its configuration."""
    effective = {}

    def ask(*argv):
        user = argv[-1].partition("user=")[2].partition(",")[0]
        return Said(0, effective.get(user, WHOLE), "")

    def write(**files):
        for name, text in files.items():
            (tmp_path / name).write_text(text)

    users = [SimpleNamespace(pw_name=name, pw_shell=shell) for name, shell in SHELLS.items()]
    monkeypatch.setattr(sshd, "ask", ask)
    monkeypatch.setattr(sshd, "MAIN", str(tmp_path / "sshd_config"))
    monkeypatch.setattr(sshd, "SHADOW", str(tmp_path / "shadow"))
    monkeypatch.setattr(sshd, "pwd", SimpleNamespace(getpwall=lambda: users))
    write(shadow=SHADOW, sshd_config="# PasswordAuthentication yes\nInclude *.conf\nPasswordAuthentication no\n")
    return SimpleNamespace(write=write, effective=effective, path=tmp_path)


def drop_in(host, text):
    (host.path / "00-other.conf").write_text(text)
    return list(sshd.ssh_server())


def test_who_can_be_guessed(host):
    assert sshd.with_password() == ["bob", "sftp"]
    assert sshd.people() == ["root", "ana", "bob", "sftp"]


@pytest.mark.parametrize("text, expected", [
    ("Match User bob\n  PasswordAuthentication yes\n", {"ssh-password-login:Match User bob"}),
    ('match = Address "10.0.0.0/8"\nchallengeresponseauthentication="YES" # a code\n',
     {'ssh-password-login:Match Address "10.0.0.0/8"'}),
    ("Match Group sftp\nPermitEmptyPasswords yes\nMatch all\nMatch Host a\nPermitRootLogin without-password\n",
     {"ssh-password-login:Match Group sftp", "ssh-root-login:Match Host a"}),
    ("Match User bob\nPasswordAuthentication no\nPasswordAuthentication yes\n", set()),
    ("Match User bob\nX11Forwarding yes\nMatch all\nPasswordAuthentication yes\n", set()),  # then sshd -T says so
    ("Match User bob\nPasswordAuthentication yes\nAuthenticationMethods publickey,password\n", set()),
])
def test_a_condition_that_lets_in_more_than_the_whole(text, expected, host):
    found = drop_in(host, text)
    assert {"%s:%s" % (one.id, one.subject) for one in found} == expected
    assert all("00-other.conf" in one.what and "reload ssh" in one.remedy for one in found)


def test_whom_it_lets_in_is_said(host):
    host.effective["bob"] = WHOLE.replace("Authentication no", "Authentication yes")
    (found,) = drop_in(host, "Match User bob\nPasswordAuthentication yes\n")
    assert "holds, as for bob: " in found.what


def test_a_condition_that_asks_for_no_key_beside_the_password(host, monkeypatch):
    both = "passwordauthentication yes\nauthenticationmethods publickey,password\n"
    monkeypatch.setattr(sshd, "ask", lambda *argv: Said(0, both, ""))
    (found,) = drop_in(host, "Match User bob\nAuthenticationMethods any\n")
    assert found.id == "ssh-password-login" and found.what.endswith("00-other.conf says authenticationmethods any.")


def test_what_the_whole_lets_in_is_said_once(host, monkeypatch):
    open_to_all = WHOLE.replace("Authentication no", "Authentication yes")
    monkeypatch.setattr(sshd, "ask", lambda *argv: Said(0, open_to_all, ""))
    (found,) = drop_in(host, "Match User bob\nPasswordAuthentication yes\n")
    assert found.subject == ""


def test_a_condition_that_is_not_understood_is_found_by_what_sshd_says_of_a_user(host):
    host.effective["sftp"] = WHOLE.replace("Authentication no", "Authentication yes")
    (found,) = drop_in(host, "Match Group sftp\nForceCommand internal-sftp\n")
    assert (found.id, found.subject) == ("ssh-password-login", "sftp")


def test_a_configuration_that_is_refused(monkeypatch):
    monkeypatch.setattr(sshd, "ask", lambda *argv: Said(255, "", "Bad configuration option: Nonsense"))
    (found,) = sshd.ssh_server()
    assert found.id == "sshd-config-invalid" and "Nonsense" in found.what
    monkeypatch.setattr(sshd, "ask", lambda *argv: Said(127, "", ""))
    assert list(sshd.ssh_server()) == []
