# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an application logs in to its database: an account with a password, which a deployment may change.

While a deployment is at work, the passwords of the version that serves and of the one to come are both valid.
"""

from __future__ import annotations

from typing import NamedTuple


class Login:
    """What the accounts of all servers have in common. They raise DatabaseError where the server refuses."""

    def __init__(self, name: str) -> None:
        """The account of this name."""
        self.name = name

    def is_there(self) -> bool:
        """Whether this host's server has it; an address of this host can lead to another server, by a tunnel."""
        raise NotImplementedError

    def lets_in(self, password: str) -> bool:
        """Whether a password is valid; no argument has it in it."""
        raise NotImplementedError

    def allow(self, *passwords: str) -> None:
        """These are valid from now on, the last one as the one that stays; no other is."""
        raise NotImplementedError

    def has_rights(self) -> bool:
        """Whether it may do something on one of the server's databases or on all, so that its removal would break that."""
        return False

    def is_servers_own(self) -> bool:
        """Whether the server, its package or its administrator works with it, so that it is no application's."""
        return False

    def by_hand(self) -> str:
        """The command by which a person removes it, who reads it in a message."""
        raise NotImplementedError

    def remove(self) -> None:
        """Nobody logs in with it any more."""
        raise NotImplementedError


class Account(NamedTuple):
    """What an application logs in with; nothing where its database is not this host's, or the account another one's."""

    login: Login | None = None
    password: str | None = None
