# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `Match` blocks of the ssh server's configuration, as they are in its files."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.access.sshd_match import blocks


def write(folder, **files):
    for name, text in files.items():
        (folder / name).write_text(text)


def test_a_condition_ends_with_the_file_that_has_it(tmp_path):
    write(tmp_path, **{
        "sshd_config": "Include *.conf\nPasswordAuthentication yes\n\nMatch User ana\nInclude more\n",
        "00-own.conf": "Match User bob\nX11Forwarding no\n",
        "more": "Match Address 192.0.2.0/24\nPermitRootLogin yes\n",
    })
    assert [block[1:] for block in blocks(str(tmp_path / "sshd_config"))] == [
        ("User bob", {"x11forwarding": "no"}), ("User ana Address 192.0.2.0/24", {"permitrootlogin": "yes"}),
    ]


def test_files_that_include_each_other_come_to_an_end(tmp_path):
    write(tmp_path, **{"sshd_config": "Include *.conf\n", "00-own.conf": "Include *.conf\n"})
    assert blocks(str(tmp_path / "sshd_config")) == []
