# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules return."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def diff_result(module: AnsibleModule, diff: dict | list) -> dict:
    """The diff as a result, but only where it was asked for: Ansible prints every diff that it gets."""
    return {"diff": diff} if module._diff else {}


def with_diff(module: AnsibleModule, result: dict) -> dict:
    """A result with its diff where that was asked for, and without it elsewhere."""
    return {name: value for name, value in result.items() if name != "diff" or module._diff}
