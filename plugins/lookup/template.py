# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: template
short_description: Renders a template as ansible.builtin.template does, in a fraction of the time
version_added: 0.1.0
description:
  - Renders a file by Jinja2, with what R(ansible.builtin.template, ansible_collections.ansible.builtin.template_lookup)
    does, which copies all variables of the host, with all that is in them, for each template. A role that writes
    thirty files spends most of its time on that.
  - The template may read the variables, and not change what is in them.
author: The selfhost.flask developers (@selfhost)
options:
  _terms:
    description: The templates, looked for where Ansible looks for a role's templates.
    type: list
    elements: str
    required: true
  template_vars:
    description: More variables for the templates.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Configure the application
  selfhost.flask.config_files:
    files:
      - dest: /etc/blog.conf
        content: "{{ lookup('selfhost.flask.template', 'blog.conf.j2') }}"
"""

RETURN = r"""
_raw:
  description: The rendered texts.
  type: list
  elements: str
"""

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class Variables(dict):
    """Variables of which a deep copy is a new dictionary with the same values."""

    def __deepcopy__(self, memo: dict) -> dict:
        return dict(self)


class LookupModule(LookupBase):
    """Ansible's own lookup, which is to copy no values."""

    def run(self, terms: list, variables: dict | None = None, **kwargs: object) -> list:
        own = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
        return own.run(terms, variables=Variables(variables or {}), **kwargs)
