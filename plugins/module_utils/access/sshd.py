# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sshd does, where it listens, its keys, and whom a configuration would shut out."""

from __future__ import annotations

import grp
import os
import pwd
import re

from ansible.module_utils.basic import AnsibleModule

FOLDER = "/etc/ssh"
MODULI = FOLDER + "/moduli"
SOCKET_DROP_IN = "/etc/systemd/system/ssh.socket.d/selfhost.conf"
KEYS = {kind: "%s/ssh_host_%s_key" % (FOLDER, kind) for kind in ("ed25519", "rsa")}
BITS = {"ed25519": 256, "rsa": 4096}

# What ssh-keygen calls a kind of key, and how the names of its algorithms begin.
ALGORITHMS = {
    "RSA": "rsa-sha2-",
    "ECDSA": "ecdsa-sha2-",
    "ED25519": "ssh-ed25519",
    "ECDSA-SK": "sk-ecdsa-sha2-",
    "ED25519-SK": "sk-ssh-ed25519",
}
WHO = ("allowgroups", "pubkeyacceptedalgorithms", "requiredrsasize")
ELSEWHERE = ("AuthorizedKeysCommand", "TrustedUserCAKeys")
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false")

BEGIN, END = "# BEGIN selfhost.flask\n", "# END selfhost.flask\n"
OFF = "# said above: "  # before a line of others that our part contradicts

# BindIPv6Only: Ubuntu's own unit has two addresses for it. A host without IPv6 gets IPv4 alone.
SOCKET = """\
# Ansible managed
[Socket]
ListenStream=
ListenStream=%d
BindIPv6Only=both
"""


def effective(module: AnsibleModule, user: str, path: str = "") -> dict:
    """The values of each keyword, as sshd reads them from its files, or from one alone."""
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # behind ssh.socket, it may not be there
    command = ["sshd", "-T", "-C", "user=%s,host=localhost,addr=127.0.0.1" % user]
    dummy, out, dummy = module.run_command(command + (["-f", path] if path else []), check_rc=True)
    values = {}
    for line in out.splitlines():
        keyword, dummy, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value)
    return {keyword: sorted(found) for keyword, found in values.items()}


def supported(module: AnsibleModule, text: str) -> str:
    """A configuration without key exchanges that came with an update which this host does not have yet."""
    program = module.get_bin_path("ssh")
    if not program:  # no client: a distribution so new has them all
        return text
    dummy, out, dummy = module.run_command([program, "-Q", "kex"], check_rc=True)
    known = out.split()

    def without(match: re.Match) -> str:
        names = match.group(2).split(",")
        return match.group(1) + ",".join([name for name in names if name in known] or names)

    return re.sub(r"(?m)^(KexAlgorithms )([a-z]\S+)$", without, text)


def keywords_of(text: str) -> list:
    """The keywords that a configuration sets."""
    lines = [line.split(None, 1)[0] for line in text.splitlines() if line.strip()]
    return sorted({word.lower() for word in lines if not word.startswith("#")})


def overridden(text: str, wanted: dict, found: dict) -> list:
    """The settings of a configuration that sshd would not follow."""
    return [
        "%s %s" % (keyword, " ".join(wanted[keyword]))
        for keyword in keywords_of(text)
        if keyword in wanted and wanted[keyword] != found.get(keyword)
    ]


def listener(module: AnsibleModule) -> str:
    """The unit that listens for sshd."""
    code, dummy, dummy = module.run_command(["systemctl", "is-active", "--quiet", "ssh.socket"])
    return "ssh.service" if code else "ssh.socket"


def listening_ports(module: AnsibleModule, unit: str) -> list:
    """The ports at which sshd is reached now."""
    if unit == "ssh.socket":
        return socket_ports(module)
    dummy, out, dummy = module.run_command(["ss", "-H", "-l", "-t", "-n", "-p"], check_rc=True)
    found = [line.split()[3] for line in out.splitlines() if '("sshd"' in line]
    # A session that forwards X11 or a port listens at the loopback address, as sshd.
    world = [text for text in found if not text.startswith(("127.", "[::1]"))]
    return sorted({int(text.rsplit(":", 1)[1]) for text in world or found})


def socket_ports(module: AnsibleModule) -> list:
    """The ports of ssh.socket, as its unit files say."""
    dummy, out, dummy = module.run_command(["systemctl", "show", "-p", "Listen", "ssh.socket"], check_rc=True)
    return sorted({int(port) for port in re.findall(r"(\d+) \(Stream\)", out)})


def needed_keys(module: AnsibleModule) -> list:
    """The kinds of host keys that are missing or too short."""
    return [kind for kind, path in KEYS.items() if _bits(module, path) < BITS[kind]]


def _bits(module: AnsibleModule, path: str) -> int:
    if not os.path.exists(path):
        return 0
    dummy, out, dummy = module.run_command(["ssh-keygen", "-l", "-f", path])
    return int(out.split()[0]) if out else 0


def make_key(module: AnsibleModule, kind: str) -> str:
    """A new host key beside the one in use; its path."""
    path = "%s/.ssh_host_%s_key.new" % (FOLDER, kind)
    for name in (path, path + ".pub"):
        if os.path.exists(name):
            os.unlink(name)
    command = ["ssh-keygen", "-q", "-t", kind, "-b", str(BITS[kind]), "-N", "", "-C", "", "-f", path]
    module.run_command(command, check_rc=True)
    return path


def with_part(text: str, part: str) -> str:
    """sshd_config with our part before all else, and without what others say of the same for everybody.

    An empty part brings back the file as others left it.
    """
    others = re.sub("(?ms)^%s.*?^%s" % (BEGIN, END), "", text)
    others = re.sub("(?m)^" + OFF, "", others)
    if not part:
        return others
    names = "|".join(re.findall(r"(?m)^(\w+)", part))
    whole, match, blocks = re.match(r"(?s)(.*?)((?im:^[ \t]*match\s)|\Z)(.*)", others).groups()
    whole = re.sub(r"(?im)^(?=[ \t]*(%s)[ \t=])" % names, OFF, whole)
    return BEGIN + part.strip("\n") + "\n" + END + whole + match + blocks


def strong_moduli(text: str, bits: int) -> str:
    """The groups for Diffie and Hellman that are long enough, and all lines that are none."""
    return "".join(line for line in text.splitlines(True) if not _is_short(line.split(), bits))


def _is_short(words: list, bits: int) -> bool:
    return len(words) > 4 and words[4].isdigit() and not words[0].startswith("#") and int(words[4]) < bits


def shut_out(module: AnsibleModule, before: dict, wanted: dict) -> dict:
    """Who logs in with a key today and could not any more, and why."""
    changed = [keyword for keyword in WHO if keyword in wanted and wanted[keyword] != before.get(keyword)]
    found = {}
    for user in [user for user in pwd.getpwall() if changed and _has_a_shell(user)]:
        today = effective(module, user.pw_name)
        # What a Match block says about this user stays.
        later = dict(today, **{word: wanted[word] for word in changed if today.get(word) == before.get(word)})
        keys = [key for path in _key_files(user, today) for key in _keys_in(module, path)]
        if _in_groups(user, today) and (_accepted(keys, today) or _gets_keys(module, user)):
            if not _in_groups(user, later):
                found[user.pw_name] = "is in none of the groups %s" % ", ".join(_groups(later))
            elif keys and not _accepted(keys, later):
                found[user.pw_name] = "has no key that is strong enough (%s)" % ", ".join(map(" ".join, keys))
    return found


def unknown_users(text: str, before: dict, wanted: dict) -> list:
    """The settings by which users have keys that nobody knows beforehand, where new groups would shut them out.

    A configuration that has such a setting itself means it.
    """
    groups, allowed = _groups(before), _groups(wanted)
    if not allowed or (groups and set(groups) <= set(allowed)):
        return []
    own = keywords_of(text)
    found = [(name, " ".join(before.get(name.lower(), ["none"]))) for name in ELSEWHERE if name.lower() not in own]
    return ["%s %s" % setting for setting in found if setting[1] != "none"]


def _has_a_shell(user: pwd.struct_passwd) -> bool:
    """Whether sshd lets a user in who is not root; one without a shell may have an own sftp, or a tunnel."""
    return user.pw_uid != 0 and os.access(user.pw_shell or "/bin/sh", os.X_OK)


def _gets_keys(module: AnsibleModule, user: pwd.struct_passwd) -> bool:
    """Whether sshd was started with a program that knows keys of any person, as on EC2."""
    if user.pw_uid < 1000 or user.pw_shell in NO_SHELLS:
        return False
    dummy, out, dummy = module.run_command(["systemctl", "show", "-p", "ExecStart", "ssh.service"], check_rc=True)
    return "authorizedkeyscommand" in out.lower()


def _key_files(user: pwd.struct_passwd, values: dict) -> list:
    """The files in which sshd looks for a user's keys, as far as they are there."""
    words = {"%": "%", "h": user.pw_dir, "u": user.pw_name, "U": str(user.pw_uid)}
    names = " ".join(values.get("authorizedkeysfile", [".ssh/authorized_keys"])).split()
    named = [re.sub("%(.)", lambda match: words.get(match.group(1), match.group(0)), name) for name in names]
    paths = [os.path.join(user.pw_dir, name) for name in named]
    return [path for path in dict.fromkeys(paths) if os.path.isfile(path)]


def _keys_in(module: AnsibleModule, path: str) -> list:
    """(kind, bits) of each public key in a file."""
    dummy, out, dummy = module.run_command(["ssh-keygen", "-l", "-f", path])
    found = [re.match(r"(\d+) .*\(([A-Z0-9-]+)\)$", line) for line in out.splitlines()]
    return [(match.group(2), match.group(1)) for match in found if match]


def _accepted(keys: list, values: dict) -> bool:
    names = ",".join(values.get("pubkeyacceptedalgorithms", [])).split(",")
    shortest = int(values.get("requiredrsasize", ["1024"])[0])
    return any(
        any(name.startswith(ALGORITHMS.get(kind, kind)) for name in names)
        for kind, bits in keys
        if kind != "RSA" or int(bits) >= shortest
    )


def _groups(values: dict) -> list:
    return " ".join(values.get("allowgroups", [])).split()


def _in_groups(user: pwd.struct_passwd, values: dict) -> bool:
    allowed = _groups(values)
    names = [group.gr_name for group in grp.getgrall() if user.pw_name in group.gr_mem or group.gr_gid == user.pw_gid]
    return not allowed or any(name in allowed for name in names)
