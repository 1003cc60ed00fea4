# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access import sshd

CONFIG = "#\n# Ansible managed\nPermitRootLogin no\nAllowGroups sudo ops\nHostKey /a\nHostKey /b\n"
WANTED = {"permitrootlogin": ["no"], "allowgroups": ["ops", "sudo"], "hostkey": ["/a", "/b"], "port": ["22"]}


def test_settings_of_another_file_that_win_are_found():
    found = dict(WANTED, permitrootlogin=["yes"], port=["2222"])
    assert sshd.overridden(CONFIG, WANTED, found) == ["permitrootlogin no"]
    assert sshd.overridden(CONFIG, WANTED, WANTED) == []


def says(out, code=0):
    return SimpleNamespace(
        run_command=lambda command, check_rc=False: (code, out, ""), get_bin_path=lambda name: "/usr/bin/" + name
    )


def test_the_ports_of_a_socket_are_read():
    assert sshd.socket_ports(says("Listen=0.0.0.0:22 (Stream)\nListen=[::]:22 (Stream)\n")) == [22]


LISTENING = """\
LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=1,fd=3))
LISTEN 0 128 [::]:2222 [::]:* users:(("sshd",pid=1,fd=4))
LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:(("sshd",pid=9,fd=9))
LISTEN 0 128 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=2,fd=3))
"""


def test_the_ports_of_the_server_are_read_and_not_those_of_a_session():
    assert sshd.listening_ports(says(LISTENING), "ssh.service") == [2222]


def test_short_moduli_go_and_comments_stay():
    text = "# Time Type of 1 2 3\n\nx\n2018 2 6 100 2047 2 F\n2018 2 6 100 3071 2 F\n2018 2 6 100 4095 5 F\n"
    assert sshd.strong_moduli(text, 3071) == text.replace("2018 2 6 100 2047 2 F\n", "")


def test_key_exchanges_that_a_host_does_not_have_yet_are_left_out():
    module = says("curve25519-sha256\n")
    text = "A b\nKexAlgorithms new-one,curve25519-sha256\nMACs c\n"
    assert sshd.supported(module, text) == "A b\nKexAlgorithms curve25519-sha256\nMACs c\n"
    assert sshd.supported(module, "KexAlgorithms new-one\n") == "KexAlgorithms new-one\n"


def test_a_host_without_an_ssh_client_has_them_all():
    module = says("")
    module.get_bin_path = lambda name: None
    assert sshd.supported(module, "KexAlgorithms new-one,a\n") == "KexAlgorithms new-one,a\n"


ALL = {"pubkeyacceptedalgorithms": ["ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512"], "requiredrsasize": ["1024"]}
STRICT = {
    "allowgroups": ["sudo"],
    "pubkeyacceptedalgorithms": ["ssh-ed25519,rsa-sha2-512"],
    "requiredrsasize": ["3072"],
}
ED25519 = "256 SHA256:x ana@example.com (ED25519)\n"
SHORT = "2048 SHA256:x ana@example.com (RSA)\n"
ECDSA = "256 SHA256:x ana@example.com (ECDSA)\n"

NOLOGIN = "/usr/sbin/nologin"
NO_GROUP = "is in none of the groups sudo"

# the keys of a user, whether in the group sudo, the shell, and why the user would be shut out
USERS = {
    "a good key": (ED25519, True, "/bin/sh", None),
    "one good key of two": (SHORT + ED25519, True, "/bin/sh", None),
    "not in the group": (ED25519, False, "/bin/sh", NO_GROUP),
    "an account for files alone": (ED25519, False, NOLOGIN, NO_GROUP),
    "no such shell": (ED25519, False, "/opt/none", None),
    "a short key": (SHORT, True, "/bin/sh", "has no key that is strong enough (RSA 2048)"),
    "a key of a refused kind": (ECDSA, True, "/bin/sh", "has no key that is strong enough (ECDSA 256)"),
    "no key": ("", False, "/bin/sh", None),
}


@pytest.fixture
def shut_out(monkeypatch, tmp_path):
    """Whom a configuration shuts out on a host with one user, ana, and why."""

    def shut_out(keys, before, wanted, member=False, shell="/bin/sh", own=None, started="", uid=1000):
        home = str(tmp_path / "home/ana")
        user = SimpleNamespace(pw_name="ana", pw_uid=uid, pw_gid=1000, pw_dir=home, pw_shell=shell)
        group = SimpleNamespace(gr_name="sudo", gr_gid=27, gr_mem=["ana"] if member else [])
        monkeypatch.setattr(sshd.pwd, "getpwall", lambda: [user])
        monkeypatch.setattr(sshd.grp, "getgrall", lambda: [group])
        monkeypatch.setattr(sshd.os, "access", lambda path, mode: path in ("/bin/sh", NOLOGIN))
        monkeypatch.setattr(sshd.os, "makedirs", lambda *path, **mode: None)
        here = dict(before, **(own or {}))
        said = {
            "sshd": "".join("%s %s\n" % (word, value) for word, values in here.items() for value in values),
            "ssh-keygen": keys,
            "systemctl": "ExecStart={ argv[]=/usr/sbin/sshd -D %s }\n" % started,
        }
        module = SimpleNamespace(run_command=lambda command, check_rc=False: (0, said[command[0]], ""))
        return sshd.shut_out(module, before, wanted)

    return shut_out


def authorize(path):
    path.parent.mkdir(parents=True)
    path.write_text("")


@pytest.mark.parametrize("case", USERS)
def test_who_would_be_shut_out_is_named(case, shut_out, tmp_path):
    keys, member, shell, reason = USERS[case]
    authorize(tmp_path / "home/ana/.ssh/authorized_keys")
    assert shut_out(keys, ALL, STRICT, member, shell) == ({"ana": reason} if reason else {})
    assert shut_out(keys, STRICT, STRICT, member, shell) == {}


def test_what_a_match_block_says_about_a_user_counts(shut_out, tmp_path):
    authorize(tmp_path / "keys/ana")
    files = {"authorizedkeysfile": [str(tmp_path / "keys/%u")]}
    assert shut_out(ED25519, ALL, STRICT, own=files) == {"ana": NO_GROUP}
    assert shut_out(SHORT, ALL, STRICT, member=True, own=dict(files, requiredrsasize=["2048"])) == {}


@pytest.mark.parametrize("given, reasons", [
    ({}, {"ana": NO_GROUP}), ({"member": True}, {}), ({"uid": 999}, {}), ({"shell": NOLOGIN}, {}),
    ({"started": "-o X=y"}, {}),
])
def test_keys_may_come_from_a_program_on_the_command_line_of_sshd(given, reasons, shut_out):
    program = "-o AuthorizedKeysCommand=/usr/share/ec2-instance-connect/eic_run_authorized_keys"
    assert shut_out("", ALL, STRICT, **{"started": program, **given}) == reasons


@pytest.mark.parametrize("setting, path", [
    (".ssh/authorized_keys .ssh/authorized_keys2", "home/ana/.ssh/authorized_keys2"),
    ("@/keys/%u", "keys/ana"), ("%h/100%%/%U", "home/ana/100%/1000"),
])
def test_keys_are_looked_for_where_sshd_does(setting, path, shut_out, tmp_path):
    authorize(tmp_path / path)
    files = {"authorizedkeysfile": [setting.replace("@", str(tmp_path))]}
    assert list(shut_out(ED25519, dict(ALL, **files), dict(STRICT, **files))) == ["ana"]


OS_LOGIN = {"authorizedkeyscommand": ["/usr/bin/google_authorized_keys"], "trustedusercakeys": ["none"]}
COMMAND = "AuthorizedKeysCommand /usr/bin/google_authorized_keys"

# what the drop-in says, what the host has, and the settings by which somebody unknown could be shut out
UNKNOWN = {
    "a program": ("", OS_LOGIN, STRICT, [COMMAND]),
    "certificates": ("", {"trustedusercakeys": ["/etc/ssh/ca.pub"]}, STRICT, ["TrustedUserCAKeys /etc/ssh/ca.pub"]),
    "neither": ("", {}, STRICT, []),
    "meant": ("AuthorizedKeysCommand none\n", OS_LOGIN, STRICT, []),
    "for all users": ("", OS_LOGIN, {}, []),
    "the same groups": ("", dict(OS_LOGIN, allowgroups=["sudo"]), STRICT, []),
    "more groups": ("", dict(OS_LOGIN, allowgroups=["sudo"]), {"allowgroups": ["ops", "sudo"]}, []),
    "other groups": ("", dict(OS_LOGIN, allowgroups=["ops"]), STRICT, [COMMAND]),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_users_whom_nobody_knows_beforehand_are_thought_of(case):
    text, before, wanted, settings = UNKNOWN[case]
    assert sshd.unknown_users(text, before, wanted) == settings


OTHERS = "# Text\nInclude *.conf\npermitrootlogin yes\n#PermitRootLogin no\nMatch User bob\n  PermitRootLogin yes\n"


def test_our_part_of_the_main_file_comes_first_and_what_others_say_of_it_is_off():
    with_it = sshd.with_part(OTHERS, "# Text\nPermitRootLogin no\n")
    assert with_it == "# BEGIN selfhost.flask\n# Text\nPermitRootLogin no\n# END selfhost.flask\n" + OTHERS.replace(
        "permitrootlogin yes", "# said above: permitrootlogin yes"
    )
    assert sshd.with_part(with_it, "# Text\nPermitRootLogin no") == with_it


def test_our_part_of_the_main_file_goes_again_and_leaves_nothing():
    with_it = sshd.with_part(OTHERS, "PermitRootLogin no\n")
    assert "Root" not in sshd.with_part(with_it, "MaxAuthTries 4").partition("# END")[0]
    assert sshd.with_part(with_it, "") == sshd.with_part(OTHERS, "") == OTHERS
    assert sshd.with_part(sshd.with_part("", "MaxAuthTries 4"), "") == ""
