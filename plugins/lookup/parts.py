# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the stack declare that are in use."""

from __future__ import annotations

DOCUMENTATION = r"""
name: parts
short_description: What the parts of the stack declare
version_added: 1.0.0
author: The selfhost.flask developers (@selfhost-flask)
description:
  - A database, an application server, a process manager, a proxy, a mail server or a companion is a role that declares in its
    C(vars/part.yml) what others need to know of it. This reads that of the parts which are chosen by C(flask_database),
    C(flask_wsgi_server), C(flask_process_manager), C(flask_web_server), C(flask_mail_server) and C(flask_services).
  - A declaration may have templates. They see the task's variables, and the defaults and variables of the part's role.
  - Parts are found among the roles of this collection, in C(roles) beside the inventory and beside the playbook, and in
    Ansible's path for roles.
options:
  _terms:
    description:
      - The fields that are asked for, such as V(packages).
      - V(role) is the role itself, of those that have tasks.
    required: true
  kind:
    description:
      - Of which kinds of parts, in this order; all that can be chosen where it is empty.
      - V(always) stands for the roles that there is no choice of, with O(known).
    type: list
    elements: str
    choices: [server, process, database, proxy, mail, companion, always]
    default: []
  known:
    description: Whether to ask all parts that there are roles for, also those that are not in use.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Install what the parts need
  ansible.builtin.apt:
    name: "{{ query('selfhost.flask.parts', 'packages') }}"

- name: Say what the proxies and the roles leave on a host for an application
  ansible.builtin.debug:
    msg: "{{ query('selfhost.flask.parts', 'remains', kind=['proxy', 'always'], known=true) }}"

- name: Set up the database
  ansible.builtin.include_role: {name: "{{ part }}"}
  loop: "{{ query('selfhost.flask.parts', 'role', kind='database') }}"
  loop_control: {loop_var: part}
"""

RETURN = r"""
_raw:
  description:
    - What the parts declare, one after the other; the items of those that declare a list.
    - For keys with values use the filter P(ansible.builtin.combine#filter) on it.
  type: list
  elements: raw
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.selfhost.flask.plugins.plugin_utils._parts import CHOICES, Part, Parts, read


class LookupModule(LookupBase):
    """Evaluates what is declared where it is asked for, with the variables that are there."""

    def run(self, terms: list[str], variables: dict | None = None, **options: Any) -> list:
        self.set_options(var_options=variables, direct=options)
        parts = Parts(self._loader, variables, self._templar.template)
        find = parts.find_known if self.get_option("known") else parts.find_chosen
        chosen = [part for kind in self.get_option("kind") or CHOICES for part in find(kind)]
        values = [self._value(field, part, variables) for field in terms for part in chosen]
        return [item for value in values for item in (value if isinstance(value, list) else [value])]

    def _value(self, field: str, part: Part, variables: dict) -> Any:
        """What a part declares; an empty list where it says nothing of it."""
        if field == "role":
            return [part.role] if (part.folder / "tasks/main.yml").is_file() else []
        value = part.declaration.get(field, [])
        return self._evaluate(value, part, variables) if "{{" in str(value) else value

    def _evaluate(self, value: Any, part: Part, variables: dict) -> Any:
        """The value of a template, for which a role's own defaults and variables are read."""
        own = [read(self._loader, part.folder / folder / "main.yml") for folder in ("defaults", "vars")]
        there = {"role_path": str(part.folder), "ansible_search_path": [str(part.folder)]}
        scope = {**own[0], **own[1], **variables, **there}
        return self._templar.copy_with_new_env(available_variables=scope).template(value)
