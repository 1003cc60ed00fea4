#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_certificate
short_description: Makes, installs and renews the certificate of a Flask application
version_added: 0.1.0
description:
  - The certificate and its key are at C(/etc/ssl/selfhost/<name>.pem) and C(.key), whatever their origin. Both are
    links through one folder that is replaced in one step, so that a proxy always finds a certificate and its own key.
  - The module also brings the program that renews the certificate, C(<root>/deployment/certificate.pyz), to its own
    version.
extends_documentation_fragment: selfhost.flask.site
attributes:
  check_mode:
    description: Says whether a certificate would be made, installed or asked for.
    support: full
  diff_mode:
    description: Shows the names and the end of the certificate.
    support: full
  idempotent:
    description: Nothing is made or asked for before it is due.
    support: full
options:
  state:
    description:
      - V(checked) only looks whether O(certificate) and O(key) belong together, and are good for O(names) today. It
        needs no host but this.
      - V(present) makes sure that a proxy can be started. A certificate that is still to be asked for has a self-signed
        one in its place.
      - V(issued) asks for a certificate where that is due, and proves that the proxy serves what is installed. What
        it needs to know it was told with V(present). Where challenges are answered by DNS, it is the timer's unit
        C(flask-<name>-certificate.service) that asks, so that the scripts are run as they will be for each renewal.
      - V(borrowed) installs O(certificate) with O(key) where an ACME server is still to be asked, and only a self-signed
        one is there. It is served until there is one of the site's own. Without O(services), no proxy is told.
    type: str
    choices: [checked, present, borrowed, issued]
    default: present
  name:
    description: Name of the application.
    type: str
    required: true
  origin:
    description: Where the certificate comes from.
    type: str
    choices: [self_signed, letsencrypt, provided]
    default: self_signed
  names:
    description: The names that visitors use, the main one first.
    type: list
    elements: str
    default: []
  certificate:
    description: The certificate with its chain, in PEM format.
    type: str
    default: ""
  key:
    description: Its private key, in PEM format.
    type: str
    default: ""
  days:
    description: Days that a self-signed certificate is good for.
    type: int
    default: 365
  services:
    description: The units that are reloaded when the certificate is another one.
    type: list
    elements: str
    default: []
  acme:
    description: What a certificate is asked of, and how.
    type: dict
    suboptions:
      server:
        description: The URL of the ACME server's directory.
        type: str
        default: ""
      email:
        description: The account's address. Empty for an account without one.
        type: str
        default: ""
      ca:
        description: Whether the server's certificate is vouched for by C(<root>/deployment/acme-ca.pem).
        type: bool
        default: false
      dns:
        description: Whether the challenges are answered by DNS, with the scripts that are in C(<root>/deployment).
        type: bool
        default: false
      check:
        description: Whether the names have to lead to this host before a certificate is asked for.
        type: bool
        default: true
"""

EXAMPLES = r"""
- name: Make sure that there is a certificate
  selfhost.flask.flask_certificate:
    name: blog
    root: /srv/blog
    origin: letsencrypt
    names: [blog.example.com, www.example.com]
    services: [nginx]
    acme: {server: "https://acme-v02.api.letsencrypt.org/directory"}

- name: Ask for the real one
  selfhost.flask.flask_certificate:
    state: issued
    name: blog
    root: /srv/blog
"""

RETURN = r"""
not_after:
  description: The end of the installed certificate.
  type: str
  returned: when there is one
  sample: "2027-02-19T13:50:50Z"
settled:
  description:
    - Whether nothing was changed, an ACME server has no part in it, and the proxy serves what is installed. O(state=issued)
      would do nothing then.
  type: bool
  returned: when the host was told already
names:
  description: The names of the installed certificate.
  type: list
  elements: str
  returned: when there is one
  sample: [blog.example.com]
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.certificate import keeper as certificate_keeper
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    Facts,
    Pair,
    check,
)
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.keeper import Keeper, own, read_settings
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import SITE
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program

SETTINGS = ("name", "origin", "names", "days", "services", "acme")


def told(module: AnsibleModule) -> dict:
    """The settings as the task has them."""
    return {key: module.params[key] for key in SETTINGS}


def given(module: AnsibleModule) -> Pair | None:
    """The certificate that the user has, in one form, so that it can be compared."""
    if module.params["origin"] != "provided" and module.params["state"] != "borrowed":
        return None
    return Pair(*(module.params[name].strip() + "\n" for name in ("certificate", "key")))


def install(module: AnsibleModule) -> bool:
    """Whether the program or its settings were others."""
    root = module.params["root"]
    files = {
        own(root, certificate_keeper.PROGRAM): program.packed(certificate_keeper.MAIN),
        own(root, certificate_keeper.SETTINGS): json.dumps(told(module), indent=2).encode() + b"\n",
    }
    others = {path: content for path, content in files.items() if program.differs(path, content)}
    if others and not module.check_mode:
        make_folders(own(root, ""), 0o700)
        for path, content in others.items():
            write_file(path, content, 0o600)
    return bool(others)


def present(module: AnsibleModule) -> tuple:
    """The keeper, and whether something was done."""
    keeper = Keeper(module.params["root"], told(module))
    if module.check_mode:
        return keeper, bool(install(module) | keeper.lacks(given(module)))
    with keeper.alone():
        lacking = keeper.provide(given(module))  # what is given may be refused, and then nothing is changed
        return keeper, bool(install(module) | lacking)


def issued(module: AnsibleModule) -> tuple:
    """The same for a certificate that is asked for."""
    keeper = Keeper(module.params["root"], read_settings(module.params["root"]))
    if module.check_mode:
        return keeper, keeper.asks()
    by_unit = bool(keeper.lineage.acme.hook) and keeper.asks()
    if by_unit:
        keeper.ask_by_unit()
    with keeper.alone():
        return keeper, keeper.keep(careful=True) or by_unit


def borrowed(module: AnsibleModule) -> tuple:
    """The same for a certificate that is another installation's."""
    settings = dict(read_settings(module.params["root"]), services=module.params["services"])
    keeper = Keeper(module.params["root"], settings)
    if module.check_mode:
        return keeper, keeper.borrows()
    with keeper.alone():
        return keeper, keeper.borrow(given(module))


STATES = dict(present=present, borrowed=borrowed, issued=issued)


def foreseen(module: AnsibleModule) -> bool:
    """Whether check mode is on for a host that was told nothing yet."""
    return module.check_mode and not os.path.exists(own(module.params["root"], certificate_keeper.SETTINGS))


def described(facts: Facts | None) -> str:
    """A certificate as a person reads it in a diff."""
    return "%s until %s\n" % (", ".join(facts.names), facts.ends()) if facts else ""


def result_of(module: AnsibleModule) -> dict:
    """What the module returns."""
    if module.params["state"] == "checked":
        facts = check(given(module), module.params["names"], time.time())
        return dict(changed=False, names=list(facts.names), not_after=facts.ends())
    if foreseen(module):
        return dict(changed=True)
    before = Keeper(module.params["root"], told(module)).store.facts()
    keeper, changed = STATES[module.params["state"]](module)
    facts = keeper.store.facts()
    about = dict(names=list(facts.names), not_after=facts.ends()) if facts else {}
    diff = dict(before=described(before), after=described(facts))
    settled = not changed and keeper.is_settled()
    return dict(about, changed=changed, settled=settled, **diff_result(module, diff))


def main() -> None:
    acme = dict(
        server=dict(type="str", default=""),
        email=dict(type="str", default=""),
        ca=dict(type="bool", default=False),
        dns=dict(type="bool", default=False),
        check=dict(type="bool", default=True),
    )
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            state=dict(type="str", choices=["checked", "present", "borrowed", "issued"], default="present"),
            name=dict(type="str", required=True),
            origin=dict(type="str", choices=["self_signed", "letsencrypt", "provided"], default="self_signed"),
            names=dict(type="list", elements="str", default=[]),
            certificate=dict(type="str", default=""),
            key=dict(type="str", default="", no_log=True),
            days=dict(type="int", default=365),
            services=dict(type="list", elements="str", default=[]),
            acme=dict(type="dict", options=acme, apply_defaults=True),
        ),
        supports_check_mode=True,
        required_if=[("origin", "provided", ("certificate", "key")), ("state", "borrowed", ("certificate", "key"))],
    )
    try:
        result = result_of(module)
    except (CertificateError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
