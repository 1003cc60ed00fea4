# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that does the work of several: each step of it has options of its own, and says which step has failed."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


class Part:
    """One step of a module, for functions that look into a module's options."""

    def __init__(self, module: AnsibleModule, step: str, params: dict) -> None:
        self._module = module
        self._step = step
        self.params = params

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)

    def fail_json(self, **result: object) -> None:
        self._module.fail_json(**result, step=self._step)
