# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What inventories say, for the templates to be rendered from."""

from __future__ import annotations

import functools
from pathlib import Path

from ansible.parsing.dataloader import DataLoader

ROLES = Path(__file__).resolve().parents[2] / "roles"

# What an inventory says. The second has everything that could be taken for something else.
DEPLOYMENTS = {
    "usual": {
        "flask_app": "microblog",
        "flask_repo": "https://git.example.com/microblog",
        "flask_entrypoint": "microblog:app",
        "inventory_hostname": "blog.example.com",
        "ansible_facts": {"distribution": "Debian", "distribution_major_version": "12"},
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
        "flask_shared_paths": ["instance", "logs", "app/static/uploads"],
        "inventory_hostname": "2001:db8::1",
        "ansible_facts": {"distribution": "Debian", "distribution_major_version": "13"},
        "gunicorn_workers": 3,
        "gunicorn_graceful_timeout": 5,
        "hardening_ports": [],
        "flask_login_urls": ["/auth/login", "/~ana/a-b.c_d/"],
        "nginx_upload_limit": "0",
        "flask_static_url": "/files/public",
        "system_auditd_enabled": True,
        "system_reboot_time": "04:00",
        "system_update_origins": ["origin=Debian,codename=${distro_codename}-updates"],
        "system_sysctl": {"net.ipv4.conf.all.rp_filter": 1, "vm.swappiness": 10},
        "postfix_smarthost": "[smtp.example.com]:587",
        "postfix_smarthost_user": "ana@example.com",
        "postfix_smarthost_password": "p%4$#'\"@/ :\\w",
    },
}

# The proxy with all that is a choice.
EVERYTHING = {
    "flask_aliases": ["www.example.com", "*.blog.example.com"],
    "flask_login_urls": ["/auth/login", "/admin/login", "/auth/login"],
    "nginx_csp": "default-src 'self'; script-src 'self' \"quoted\"",
    "nginx_csp_report_only": "default-src 'none'",
    "nginx_hsts_seconds": 300,
    "nginx_hsts_options": ["includeSubDomains"],
    "nginx_headers": {"X-Frame-Options": "", "X-Clacks-Overhead": 'GNU "Terry" \\'},
}

# Another application of the same host.
SHOP = {"flask_app": "shop", "inventory_hostname": "shop", "ansible_host": "192.0.2.7"}


def load(*paths: Path) -> dict:
    """The variables of files, as ansible reads them."""
    variables: dict = {}
    for path in paths:
        variables.update(load_once(path))
    return variables


@functools.cache
def load_once(path: Path) -> dict:
    """The variables of one file; nothing that is evaluated changes them."""
    return DataLoader().load_from_file(str(path), trusted_as_template=True) or {} if path.exists() else {}


def variables_of(role: str, deployment: str, **given: object) -> dict:
    """What a role's tasks see; what is given wins."""
    files = [ROLES / name / part / "main.yml" for name in ("flask", role) for part in ("defaults", "vars")]
    return {**load(*files), **DEPLOYMENTS[deployment], "role_path": str(ROLES / role), **given}
