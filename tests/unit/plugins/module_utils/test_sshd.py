# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.flask.plugins.module_utils import _sshd

CONFIG = "#\n# Ansible managed\nPermitRootLogin no\nAllowGroups sudo ops\nHostKey /a\nHostKey /b\n"
WANTED = {"permitrootlogin": ["no"], "allowgroups": ["ops", "sudo"], "hostkey": ["/a", "/b"], "port": ["22"]}


def test_settings_of_another_file_that_win_are_found():
    found = dict(WANTED, permitrootlogin=["yes"], port=["2222"])
    assert _sshd.overridden(CONFIG, WANTED, found) == ["permitrootlogin no"]
    assert _sshd.overridden(CONFIG, WANTED, WANTED) == []


def says(out, code=0):
    return SimpleNamespace(
        run_command=lambda command, check_rc=False: (code, out, ""), get_bin_path=lambda name: "/usr/bin/" + name
    )


def test_the_ports_of_a_socket_are_read():
    assert _sshd.socket_ports(says("Listen=0.0.0.0:22 (Stream)\nListen=[::]:22 (Stream)\n")) == [22]


LISTENING = """\
LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=1,fd=3))
LISTEN 0 128 [::]:2222 [::]:* users:(("sshd",pid=1,fd=4))
LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:(("sshd",pid=9,fd=9))
LISTEN 0 128 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=2,fd=3))
"""


def test_the_ports_of_the_server_are_read_and_not_those_of_a_session():
    assert _sshd.listening_ports(says(LISTENING), "ssh.service") == [2222]


def test_short_moduli_go_and_comments_stay():
    text = "# Time Type\n2018 2 6 100 2047 2 F\n2018 2 6 100 3071 2 F\n2018 2 6 100 4095 5 F\n"
    assert _sshd.strong_moduli(text, 3071) == text.replace("2018 2 6 100 2047 2 F\n", "")


def test_key_exchanges_that_a_host_does_not_have_yet_are_left_out():
    module = says("curve25519-sha256\n")
    text = "A b\nKexAlgorithms new-one,curve25519-sha256\nMACs c\n"
    assert _sshd.supported(module, text) == "A b\nKexAlgorithms curve25519-sha256\nMACs c\n"
    assert _sshd.supported(module, "KexAlgorithms new-one\n") == "KexAlgorithms new-one\n"


def test_a_host_without_an_ssh_client_has_them_all():
    module = says("")
    module.get_bin_path = lambda name: None
    assert _sshd.supported(module, "KexAlgorithms new-one,a\n") == "KexAlgorithms new-one,a\n"


ALL = {"pubkeyacceptedalgorithms": ["ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512"], "requiredrsasize": ["1024"]}
STRICT = {
    "allowgroups": ["sudo"],
    "pubkeyacceptedalgorithms": ["ssh-ed25519,rsa-sha2-512"],
    "requiredrsasize": ["3072"],
}
ED25519 = "256 SHA256:x ana@example.com (ED25519)\n"
SHORT = "2048 SHA256:x ana@example.com (RSA)\n"
ECDSA = "256 SHA256:x ana@example.com (ECDSA)\n"

# the keys of a user, whether in the group sudo, and why the user would be shut out
USERS = {
    "a good key": (ED25519, True, None),
    "one good key of two": (SHORT + ED25519, True, None),
    "not in the group": (ED25519, False, "is in none of the groups sudo"),
    "a short key": (SHORT, True, "has no key that is strong enough (RSA 2048)"),
    "a key of a refused kind": (ECDSA, True, "has no key that is strong enough (ECDSA 256)"),
    "no key": ("", False, None),
}


@pytest.mark.parametrize("case", USERS)
def test_who_would_be_shut_out_is_named(case, monkeypatch, tmp_path):
    keys, member, reason = USERS[case]
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/authorized_keys").write_text("")
    user = SimpleNamespace(pw_name="ana", pw_uid=1000, pw_gid=1000, pw_dir=str(tmp_path), pw_shell="/bin/bash")
    group = SimpleNamespace(gr_name="sudo", gr_gid=27, gr_mem=["ana"] if member else [])
    monkeypatch.setattr(_sshd.pwd, "getpwall", lambda: [user])
    monkeypatch.setattr(_sshd.grp, "getgrall", lambda: [group])
    assert _sshd.shut_out(says(keys), ALL, STRICT) == ({"ana": reason} if reason else {})
    assert _sshd.shut_out(says(keys), STRICT, STRICT) == {}


@pytest.mark.parametrize("setting, path", [
    (".ssh/authorized_keys .ssh/authorized_keys2", "home/ana/.ssh/authorized_keys2"),
    ("@/keys/%u", "keys/ana"), ("%h/100%%/%U", "home/ana/100%/1000"),
])
def test_keys_are_looked_for_where_sshd_does(setting, path, monkeypatch, tmp_path):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("")
    home = str(tmp_path / "home/ana")
    user = SimpleNamespace(pw_name="ana", pw_uid=1000, pw_gid=1000, pw_dir=home, pw_shell="/bin/bash")
    monkeypatch.setattr(_sshd.pwd, "getpwall", lambda: [user])
    monkeypatch.setattr(_sshd.grp, "getgrall", lambda: [])
    files = {"authorizedkeysfile": [setting.replace("@", str(tmp_path))]}
    assert list(_sshd.shut_out(says(ED25519), dict(ALL, **files), dict(STRICT, **files))) == ["ana"]
