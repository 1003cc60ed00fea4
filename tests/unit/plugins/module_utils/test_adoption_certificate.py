# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the certificate of an installation by hand."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.certificate import find_legacy
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import self_signed

NAMES = ["blog.example.com"]


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """A folder with a certificate of an authority, and its key, as certbot calls them."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "extensions").write_text("subjectAltName=DNS:blog.example.com,DNS:www.example.com\n")
    for name in ("ca", "privkey"):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".pem"]
        ca = ["-x509", "-days", "9"] if name == "ca" else []
        openssl(folder, "req", *ca, *key, "-subj", "/CN=" + name, "-out", "ca.crt" if ca else "request")
    openssl(folder, "x509", "-req", "-in", "request", "-CA", "ca.crt", "-CAkey", "ca.pem", "-CAcreateserial", "-days", "9",
            "-extfile", "extensions", "-out", "fullchain.pem")
    (folder / "ca.crt").rename(folder / "authority")
    return folder


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def paths(folder):
    return [str(folder / name) for name in ("fullchain.pem", "privkey.pem")]


def test_one_that_is_good_for_the_new_names_is_served_meanwhile(issued):
    found = find_legacy(paths(issued), NAMES)
    assert (found.pair.certificate, found.pair.key) == tuple(open(path).read() for path in paths(issued))
    assert "fullchain.pem, until 20" in found.note and "is served until the new one has been asked for" in found.note
    assert "BEGIN" not in found.note


def test_its_key_is_found_whatever_its_name_is(issued, tmp_path):
    for name, source in (("a", "privkey.pem"), ("b", "ca.pem"), ("c", "fullchain.pem")):
        os.symlink(issued / source, tmp_path / name)
    assert find_legacy([str(tmp_path / name) for name in "bac"], NAMES).pair


@pytest.mark.parametrize("names, reason", [
    (["shop.example.com"], "is for blog.example.com, www.example.com, and not for shop.example.com"),
    ([*NAMES, "shop.example.com"], "and not for shop.example.com"),
])
def test_one_for_other_names_is_not_moved_and_visitors_get_a_warning(names, reason, issued):
    found = find_legacy(paths(issued), names)
    assert found.pair is None and reason in found.note and "Visitors get a self-signed one" in found.note


def test_one_that_has_ended_is_not_moved(issued, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 4e9)
    found = find_legacy(paths(issued), NAMES)
    assert found.pair is None and "The certificate expired on" in found.note


@pytest.mark.parametrize("key", ["ca.pem", "fullchain.pem", "none", "", "."])
def test_one_without_its_key_is_not_moved(key, issued):
    found = find_legacy([paths(issued)[0], str(issued / key)], NAMES)
    assert found.pair is None and "No key of its site belongs to it." in found.note


def test_one_that_is_self_signed_is_no_better_than_a_placeholder(tmp_path):
    pair = self_signed(NAMES, [], 9)
    for name, text in pair._asdict().items():
        (tmp_path / name).write_text(text)
    found = find_legacy([str(tmp_path / name) for name in pair._fields], NAMES)
    assert found.pair is None and "It is self-signed." in found.note


def test_where_the_new_one_has_its_own_from_the_start_none_is_moved(issued):
    found = find_legacy(paths(issued), [])
    assert found.pair is None and "flask_tls says where the new one's comes from" in found.note
    assert find_legacy([], NAMES) == find_legacy([], []) and find_legacy([], NAMES).note == ""


def test_a_file_that_is_no_text_is_read_as_none(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\x00" * 9)
    os.mkfifo(tmp_path / "pipe")
    found = find_legacy([str(tmp_path / name) for name in ("binary", "pipe", "none")], NAMES)
    assert found.pair is None
