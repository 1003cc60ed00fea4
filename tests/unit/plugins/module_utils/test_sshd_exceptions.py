# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access.sshd_exceptions import exceptions

WANTED = {"passwordauthentication": ["no"], "kbdinteractiveauthentication": ["no"], "permitrootlogin": ["no"]}

CODE = "Match Group otp\nKbdInteractiveAuthentication yes\n"

# a drop-in, and what its blocks open
BLOCKS = {
    "one user": ("Match User bob\n  PasswordAuthentication yes\n", [("Match User bob", "passwordauthentication yes")]),
    "addresses": ("match Address 10.0.0.0/8\npermitrootlogin = prohibit-password # x\n",
                  [("Match Address 10.0.0.0/8", "permitrootlogin prohibit-password")]),
    "an old name": ('Match Group a\nChallengeResponseAuthentication "yes"\n',
                    [("Match Group a", "kbdinteractiveauthentication yes")]),
    "two blocks": ("Match User a\nPasswordAuthentication no\nMatch User b\nPasswordAuthentication yes\n",
                   [("Match User b", "passwordauthentication yes")]),
    "a code beside a key": (CODE + "AuthenticationMethods publickey,keyboard-interactive\n", []),
    "a key or a code": (CODE + "AuthenticationMethods publickey keyboard-interactive\n",
                        [("Match Group otp", "kbdinteractiveauthentication yes")]),
    "root with a key": ("Match all\nMatch User root\nPermitRootLogin yes\nAuthenticationMethods publickey\n",
                        [("Match User root", "permitrootlogin yes")]),
    "for all": ("PasswordAuthentication yes\n", []),
    "for all again": ("Match User a\nX11Forwarding no\nMatch all\nPasswordAuthentication yes\n", []),
    "a comment": ("Match User a\n# PasswordAuthentication yes\n", []),
    "another setting": ("Match Group sftponly\n  ForceCommand internal-sftp\n  AllowTcpForwarding yes\n", []),
    "as it should be": ("Match User a\nPasswordAuthentication no\n", []),
}


@pytest.fixture
def opened(tmp_path):
    """What the blocks of a drop-in open."""

    def opened(text, wanted, after=""):
        (tmp_path / "sshd_config.d").mkdir()
        (tmp_path / "sshd_config.d/50-bob.conf").write_bytes(text.encode("latin-1"))
        (tmp_path / "sshd_config").write_text("# all\nInclude sshd_config.d/*.conf\n\nUsePAM yes\n" + after)
        found = exceptions(wanted, str(tmp_path / "sshd_config"))
        assert all(path.endswith("sshd_config.d/50-bob.conf") for path, *dummy in found)
        return [tuple(about) for dummy, *about in found]

    return opened


@pytest.mark.parametrize("case", BLOCKS)
def test_what_a_block_opens_is_found(case, opened):
    text, found = BLOCKS[case]
    assert opened(text, WANTED) == found


def test_a_block_ends_with_its_file(opened):
    assert opened("Match User bob\n# \xe4\n", WANTED, "PasswordAuthentication yes\n") == []


def test_a_file_is_part_of_the_block_that_includes_it(opened):
    after = "Match User eva\nInclude sshd_config.d/50-bob.conf\n"
    assert opened("PasswordAuthentication yes\n", WANTED, after) == [("Match User eva", "passwordauthentication yes")]


def test_what_is_open_to_all_is_no_exception(opened):
    assert opened(BLOCKS["one user"][0], {"passwordauthentication": ["yes"]}) == []
