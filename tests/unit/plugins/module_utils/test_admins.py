# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What administrators get, and lose; whether a login proves it is in molecule/access."""

from __future__ import annotations

import json
import shutil
import stat
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access import admins as access_admins
from ansible_collections.selfhost.flask.plugins.module_utils.access import farewell
from ansible_collections.selfhost.flask.plugins.module_utils.access.admins import Admins, Refused
from ansible_collections.selfhost.flask.plugins.module_utils.host import accounts as host_accounts

K1, K2, K3 = ["ssh-ed25519 AAAA%d ana@laptop%d" % (number, number) for number in (1, 2, 3)]
OLD, FOREIGN = "ssh-ed25519 AAAA1", "ssh-rsa AAAAB3 by hand"


class Host:
    """A host with accounts, and its administrators' files."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.members, self.calls, self.code = folder, {"sudo": []}, [], 0
        self.shells = {}
        folder.joinpath("sudoers.d").mkdir()
        monkeypatch.setattr(host_accounts.pwd, "getpwnam", self.getpwnam)
        monkeypatch.setattr(host_accounts.grp, "getgrnam", lambda name: SimpleNamespace(gr_mem=self.members[name], gr_gid=1))
        monkeypatch.setattr(access_admins.os, "chown", lambda *ignored: None)
        monkeypatch.setattr(access_admins, "write_file", lambda path, data, mode, uid, gid: self.write(path, data, mode))

    def getpwnam(self, name):
        home = str(self.folder / name)
        return SimpleNamespace(pw_dir=home, pw_uid=1000, pw_gid=1000, pw_shell=self.shells[name])

    def write(self, path, data, mode):
        with open(path, "wb") as file:
            file.write(data)
        access_admins.os.chmod(path, mode)

    def add_user(self, name, *keys, shell="/bin/zsh", groups=("sudo",)):
        self.shells[name] = shell
        self.folder.joinpath(name, ".ssh").mkdir(parents=True)
        self.keys(name).write_text("".join(key + "\n" for key in keys))
        for group in groups:
            self.members[group].append(name)

    def keys(self, name):
        return self.folder / name / ".ssh/authorized_keys"

    def run_command(self, command):
        self.calls.append(command)
        if command[0] == "useradd" and not self.code:
            self.shells[command[-1]] = "/bin/bash"
        return self.code, "", "no"

    def admins(self, owner="blog", groups=("sudo",), login="", sudoers="text\n", **keys):
        users = [dict(name=name, ssh_keys=lines) for name, lines in keys.items()]
        options = dict(owner=owner, users=users, groups=list(groups), login_keys=login, sudoers=sudoers)
        module = SimpleNamespace(params=dict(admins=options), run_command=self.run_command)
        return Admins(module, str(self.folder / "records"), str(self.folder / "sudoers.d/admins"))

    def become(self, *owner, **given):
        """What a run that was proven leaves."""
        admins = self.admins(*owner, **given)
        notes = admins.notes()
        admins.run(admins.accounts())
        farewells = admins.farewells()
        for path, text in admins.files().items():
            if text is None:
                continue
            self.write(path, text.encode(), admins.place(path)[0])
        return notes, farewells


@pytest.fixture
def host(monkeypatch, tmp_path):
    return Host(tmp_path, monkeypatch)


def test_key_that_leaves_the_list_stops_working(host):
    host.add_user("ana")
    host.become(ana=[K1, K2])
    assert host.keys("ana").read_text() == K1 + "\n" + K2 + "\n"
    host.become(ana=[K2])
    assert host.keys("ana").read_text() == K2 + "\n"
    assert host.become(ana=[K2]) == ([], [])


def test_who_is_listed_twice_has_the_keys_of_both(host):
    users = [dict(name="ana", ssh_keys=[key]) for key in (K1, K2)]
    options = dict(owner="blog", users=users, groups=[], login_keys="", sudoers="text\n")
    assert Admins(SimpleNamespace(params=dict(admins=options)), str(host.folder)).listed == {"ana": [K1, K2]}


def test_before_the_proof_nobody_loses_anything(host):
    host.add_user("ana")
    host.add_user("bob")
    host.become(ana=[K1], bob=[K3], sudoers="ana ALL=(ALL:ALL) NOPASSWD: ALL\nbob ALL=(ALL:ALL) NOPASSWD: ALL\n")
    assert host.admins(ana=[K2], sudoers="ana ALL=(ALL:ALL) NOPASSWD: ALL\n").add()
    assert host.keys("ana").read_text() == K1 + "\n" + K2 + "\n" and host.keys("bob").read_text() == K3 + "\n"
    assert "bob ALL=" in (host.folder / "sudoers.d/admins-blog").read_text()
    assert host.admins(ana=[K2], sudoers="ana ALL=(ALL:ALL) NOPASSWD: ALL\n").add() == []
    host.become(ana=[K2], sudoers="ana ALL=(ALL:ALL) NOPASSWD: ALL\n")
    assert (host.keys("ana").read_text(), host.keys("bob").read_text()) == (K2 + "\n", "")


def test_key_that_another_application_lists_stays_and_is_said(host):
    host.add_user("ana")
    host.become("shop", ana=[K1])
    host.become("blog", ana=[K1])
    notes, dummy = host.become("blog", ana=[K2])
    assert host.keys("ana").read_text() == K1 + "\n" + K2 + "\n"
    assert "not in the list of blog, but in that of shop" in notes[0] and "…AAAA1 ana@laptop1" in notes[0]
    assert host.become("blog", ana=[K2]) == ([], [])
    host.become("shop", ana=[K2])
    assert host.keys("ana").read_text() == K2 + "\n"


def test_key_that_was_added_by_hand_stays_and_is_said(host):
    host.add_user("ana", FOREIGN, "# a comment", 'from="10.0.0.0/8" ' + OLD)
    notes, dummy = host.become(ana=[K1])
    assert host.keys("ana").read_text() == FOREIGN + "\n# a comment\n" + K1 + "\n"
    assert "ana also gets in by the key `ssh-rsa …AAAAB3 by hand`" in notes[0] and "added by hand" in notes[0]


def test_key_that_was_taken_away_by_hand_comes_back(host):
    host.add_user("ana")
    host.become(ana=[K1])
    for take_away in (host.keys("ana").unlink, lambda: host.keys("ana").write_text("")):
        take_away()
        host.become(ana=[K1])
        assert host.keys("ana").read_text() == K1 + "\n"


def test_administrator_without_any_key_gets_those_of_the_login(host):
    host.add_user("ana")
    host.add_user("bob", FOREIGN)
    host.become(ana=None, bob=None, login="# text\n" + K1 + "\n")
    assert (host.keys("ana").read_text(), host.keys("bob").read_text()) == (K1 + "\n", FOREIGN + "\n")
    host.become(ana=None, bob=None, login=K2)
    assert host.keys("ana").read_text() == K1 + "\n"
    host.become(ana=[K2], bob=None)
    assert host.keys("ana").read_text() == K2 + "\n"


def test_administrator_who_leaves_loses_what_was_given(host):
    host.add_user("ana")
    host.add_user("bob", FOREIGN, groups=())
    host.become(ana=[K1], bob=[K2])
    host.members["sudo"].append("bob")
    notes, farewells = host.become(ana=[K1])
    assert farewells == [["gpasswd", "-d", "bob", "sudo"]]
    assert host.keys("bob").read_text() == FOREIGN + "\n"
    assert "bob is no longer an administrator" in notes[0] and ", and gets in by `ssh-rsa …AAAAB3 by hand`" in notes[0]
    assert host.become(ana=[K1]) == ([], [])


def test_administrator_of_before_the_records_is_said_and_keeps_what_nobody_recorded(host):
    host.add_user("bob", K2)
    host.become(sudoers="ana ALL=(ALL:ALL) NOPASSWD: ALL\nbob ALL=(ALL:ALL) NOPASSWD: ALL\n")
    (note,), farewells = host.become(sudoers="")
    assert "The account stays, is still in sudo, and gets in by `ssh-ed25519 …AAAA2 ana@laptop2`. To remove it" in note
    assert farewells == [] and host.keys("bob").read_text() == K2 + "\n"


def test_groups_of_before_and_those_that_others_give_stay(host):
    host.add_user("ana")
    host.add_user("bob", groups=())
    host.become("blog", ana=[K1], bob=[K2])
    host.members["sudo"].append("bob")
    host.become("shop", ana=[K1], bob=[K2])
    dummy, farewells = host.become("blog", bob=[K2])
    assert farewells == []  # ana was a member before
    assert host.become("blog", ana=[K1])[1] == [] and host.keys("bob").read_text() == K2 + "\n"
    assert host.become("shop", ana=[K1])[1] == [["gpasswd", "-d", "bob", "sudo"]]
    assert host.keys("bob").read_text() == ""


ACCOUNTS = {
    "a new one": (None, [["useradd", "-m", "-s", "/bin/bash", "-G", "sudo", "ana"]]),
    "one that is there": ("/bin/zsh", []),
    "one without a shell": ("/usr/sbin/nologin", [["usermod", "-s", "/bin/bash", "ana"]]),
}


@pytest.mark.parametrize("case", ACCOUNTS)
def test_accounts_are_made_and_left_as_they_are(case, host):
    shell, commands = ACCOUNTS[case]
    if shell:
        host.add_user("ana", shell=shell)
    assert host.admins(ana=[K1]).accounts() == commands


def test_missing_groups_are_made_and_joined(host):
    host.add_user("ana", groups=())
    commands = host.admins(ana=[K1], groups=["ops"]).accounts()
    assert commands == [["groupadd", "--system", "ops"], ["usermod", "-a", "-G", "sudo,ops", "ana"]]
    host.members["bob"] = []
    assert host.admins(bob=[K1]).accounts()[0][:6] == ["useradd", "-m", "-s", "/bin/bash", "-g", "bob"]


def test_files_are_their_owners_alone(host):
    host.add_user("ana")
    shutil.rmtree(host.keys("ana").parent)
    host.admins(ana=[K1]).add()
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in host.folder.rglob("*")}
    assert (modes[".ssh"], modes["authorized_keys"], modes["records"]) == ("0o700", "0o600", "0o700")
    assert (modes["blog.json"], modes["admins-blog"]) == ("0o600", "0o440")


def test_the_file_that_was_one_for_all_applications_goes_in_the_end(host):
    assert host.admins().files()[str(host.folder / "sudoers.d/admins")] is None
    assert str(host.folder / "sudoers.d/admins") not in host.admins().files(final=False)


def test_what_the_guard_keeps_is_the_same_for_each_application(host):
    host.add_user("ana")
    host.add_user("bob")
    host.become("blog", ana=[K1])
    host.become("shop", bob=[K1])
    assert sorted(host.admins("blog", ana=[K1]).guarded()) == sorted(host.admins("shop", bob=[K1]).guarded())
    names = {path.rpartition("/")[2] for path in host.admins("blog", ana=[K1]).guarded()}
    assert names == {"blog.json", "shop.json", "admins", "admins-blog", "admins-shop", "authorized_keys"}


@pytest.mark.parametrize("line", ["ssh-ed25519", "https://example.com/ana.keys", "-----BEGIN OPENSSH PRIVATE KEY-----"])
def test_what_is_no_public_key_is_refused_and_not_shown(line, host):
    with pytest.raises(Refused, match="the 2. of the ssh_keys of ana is no public key$"):
        host.admins(ana=[K1 + "\n\n# mine", line])


def test_a_command_that_fails_is_no_success(host):
    host.code = 9
    with pytest.raises(Refused, match=r"`useradd -m .* ana` failed \(exit code 9\): no"):
        host.admins(ana=[K1]).add()
    with pytest.raises(Refused, match="sudo could not read"):
        host.admins(ana=[K1]).check_sudoers()


def test_the_record_says_who_got_what(host):
    host.add_user("ana", groups=())
    host.become(ana=[K1])
    record = json.loads((host.folder / "records/blog.json").read_text())
    assert record == {"ana": {"keys": [OLD], "groups": ["sudo"]}}


LEAVING = "ana ALL=(ALL:ALL) NOPASSWD: ALL\n"


@pytest.fixture
def leave(host, monkeypatch):
    """The application blog leaves; what is said and what is run."""
    monkeypatch.setattr(farewell, "write_file", lambda path, data, mode, uid, gid: host.write(path, data, mode))
    monkeypatch.setattr(farewell, "rules", lambda module: {})
    monkeypatch.setattr(farewell, "Guard", lambda module, folder: SimpleNamespace(
        hold=lambda: None, pending=lambda: host.pending, release=lambda: None))
    folders = str(host.folder / "records"), str(host.folder / "sudoers.d/admins")
    monkeypatch.setattr(farewell, "Admins", lambda module: Admins(module, *folders))
    host.pending = False

    def leave():
        host.calls.clear()
        parting = farewell.parting_of(SimpleNamespace(run_command=host.run_command), "blog")
        if parting.words:
            parting.make()
        return parting, host.calls

    return leave


def test_an_application_that_leaves_takes_along_what_nobody_else_gives(host, leave):
    for name in ("ana", "bob"):
        host.add_user(name, groups=())
    host.become(ana=[K1], bob=[K3], sudoers=LEAVING)
    host.become("shop", bob=[K3], ana=[])
    host.become("shop", bob=[K3])
    for name in ("ana", "bob"):
        host.members["sudo"].append(name)
    parting, calls = leave()
    assert host.keys("ana").read_text() == "" and host.keys("bob").read_text() == K3 + "\n"
    assert calls == [["gpasswd", "-d", "ana", "sudo"]]
    assert [note.split()[0] for note in parting.notes] == ["ana"]
    names = {path.name for folder in ("records", "sudoers.d") for path in (host.folder / folder).iterdir()}
    assert names == {"shop.json", "admins-shop"}
    assert leave()[0].words == []


def test_after_the_last_application_the_administrators_still_get_in_and_the_next_one_takes_them_over(host, leave):
    host.add_user("ana")
    host.become(ana=[K1], sudoers=LEAVING)
    parting, calls = leave()
    assert host.keys("ana").read_text() == K1 + "\n" and calls == []
    assert parting.stays == ["the administrators ana, who are the host's now"] and parting.notes == []
    names = {path.name for folder in ("records", "sudoers.d") for path in (host.folder / folder).iterdir()}
    assert names == {"_host.json", "admins-_host"} and leave()[0].words == []
    assert (host.folder / "sudoers.d/admins-_host").read_text() == LEAVING
    host.add_user("bob")
    admins = host.admins("shop", bob=[K3])
    assert admins.left == ["ana"] and admins.files()[str(host.folder / "sudoers.d/admins-_host")] is None
    assert admins.files()[str(host.keys("ana"))] == ""


def test_administrators_of_before_there_were_records_still_get_in(host, leave):
    host.add_user("ana")
    (host.folder / "sudoers.d/admins-blog").write_text(LEAVING)
    (host.folder / "records").mkdir()
    leave()
    assert (host.folder / "sudoers.d/admins-_host").read_text() == LEAVING
    assert host.admins("shop", bob=[K3]).left == ["ana"]


def test_nobody_leaves_while_a_change_waits_for_its_proof(host, leave):
    host.add_user("ana")
    host.become(ana=[K1], sudoers=LEAVING)
    host.pending = True
    with pytest.raises(Refused, match="not confirmed yet"):
        leave()
    assert (host.folder / "sudoers.d/admins-blog").exists()
