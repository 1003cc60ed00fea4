# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' templates as their tasks render them, without a host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[2] / "roles"
LOOKUP = "{{ lookup('ansible.builtin.template', '%s') }}"

# What an inventory says. The second has everything that could be taken for something else.
DEPLOYMENTS = {
    "usual": {
        "flask_app": "microblog",
        "flask_repo": "https://git.example.com/microblog",
        "flask_entrypoint": "microblog:app",
        "inventory_hostname": "blog.example.com",
    },
    "nasty": {
        "flask_app": "a-b_c9-of-thirty-letters-long-",
        "flask_repo": "https://git.example.com/microblog",
        "flask_entrypoint": "blog.web:create_app(\"it's $HOME\", 'a b')",
        "flask_version": "v1.0 ' \" $x",
        "flask_domain": "a" * 60 + ".a-rather-long-domain.example.com",
        "flask_health_url": "/healthz?a=1&b=%20",
        "flask_database_password": "p%4$#'\"@/ :\\w",
        "flask_env": {"SECRET_KEY": "p%4$#'\"@/ :\\w"},
        "flask_admins": [{"name": "ana"}, {"name": "bob", "ssh_keys": ["ssh-ed25519 AAAA bob"]}],
        "app_shared_paths": ["instance", "logs", "app/static/uploads"],
        "inventory_hostname": "2001:db8::1",
        "gunicorn_workers": 3,
        "gunicorn_graceful_timeout": 5,
        "hardening_ports": [],
        "nginx_upload_limit": "0",
        "nginx_static_url": "/files/public",
        "postfix_smarthost": "[smtp.example.com]:587",
        "postfix_smarthost_user": "ana@example.com",
        "postfix_smarthost_password": "p%4$#'\"@/ :\\w",
    },
}


def load(*paths: Path) -> dict:
    """The variables of files, as ansible reads them."""
    loader, variables = DataLoader(), {}
    for path in paths:
        if path.exists():
            variables.update(loader.load_from_file(str(path), trusted_as_template=True) or {})
    return variables


@pytest.fixture
def render():
    """Renders a role's template with the role's defaults; what is given wins over them."""

    def render(role: str, template: str, deployment: str = "usual", **given: object) -> str:
        files = [ROLES / name / part / "main.yml" for name in ("flask", role) for part in ("defaults", "vars")]
        variables = {**load(*files), **DEPLOYMENTS[deployment], **given}
        folder = ROLES / role / "templates"
        variables["ansible_search_path"] = [str(folder.parent)]
        return Templar(DataLoader(), variables).template(trust_as_template(LOOKUP % (folder / template)))

    return render
