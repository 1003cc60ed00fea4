# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: sha512_crypt
short_description: The hash of a password as Linux keeps it
version_added: 0.1.0
description:
  - Hashes a password by SHA-512, five thousand times, as P(ansible.builtin.password_hash#filter) does, on every controller.
    That one needs a package which Ansible does not bring.
  - The same password with the same salt always has the same hash.
author: The selfhost.flask developers (@selfhost)
options:
  _input:
    description: The password.
    type: str
    required: true
  salt:
    description: What tells the hashes of equal passwords apart, of at most 16 letters, digits, '.' and '/'.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a hash
  ansible.builtin.debug:
    msg: "{{ 'secret' | selfhost.flask.sha512_crypt('3f2a9c1b') }}"
"""

RETURN = r"""
_value:
  description: The hash, which begins with C($6$).
  type: str
"""

import hashlib

ROUNDS = 5000
LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def sha512(*parts: bytes) -> bytes:
    return hashlib.sha512(b"".join(parts)).digest()


def repeat(part: bytes, size: int) -> bytes:
    """As many bytes, over and over the same ones."""
    return (part * (size // len(part) + 1))[:size] if part else b""


def begin(key: bytes, salt: bytes) -> bytes:
    """The digest that the rounds begin with."""
    other, size, mixed = sha512(key, salt, key), len(key), b""
    while size:
        mixed += other if size & 1 else key
        size >>= 1
    return sha512(key, salt, repeat(other, len(key)), mixed)


def digest_of(key: bytes, salt: bytes) -> bytes:
    digest = begin(key, salt)
    keys = repeat(sha512(key * len(key)), len(key))
    salts = repeat(sha512(salt * (16 + digest[0])), len(salt))
    for number in range(ROUNDS):
        parts = [keys if number & 1 else digest]
        parts += [salts] if number % 3 else []
        parts += [keys] if number % 7 else []
        digest = sha512(*parts, digest if number & 1 else keys)
    return digest


def letters_of(digest: bytes) -> str:
    """Three bytes are four letters; which three belong together is the format's own."""
    found = ""
    for number in range(21):
        three = [digest[(number + shift) % 63] for shift in (0, 21, 42)]
        three = three[number % 3 :] + three[: number % 3]
        found += letters(int.from_bytes(bytes(three), "big"), 4)
    return found + letters(digest[63], 2)


def letters(value: int, number: int) -> str:
    return "".join(LETTERS[value >> 6 * place & 63] for place in range(number))


def sha512_crypt(password: str, salt: str) -> str:
    """The hash, with its salt."""
    return "$6$%s$%s" % (salt, letters_of(digest_of(password.encode(), salt.encode())))


class FilterModule:
    """Ansible's way to a filter."""

    def filters(self) -> dict:
        return {"sha512_crypt": sha512_crypt}
