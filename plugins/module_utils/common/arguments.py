# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that modules have in common; their documentation is in the fragments of the same names."""

from __future__ import annotations

SITE = dict(root=dict(type="path", required=True))
RECORDS = dict(
    name=dict(type="str", required=True),
    log=dict(type="path", required=True),
)
MIGRATIONS = dict(migrations=dict(type="str", default="migrations"))
HEALTH = dict(
    health_url=dict(type="str", default="/"),
    health_text=dict(type="str", default=""),
    health_status=dict(type="list", elements="int", default=[]),
    health_redirect=dict(type="bool", default=True),
    host=dict(type="str", default="localhost"),
)
DEPLOYMENT = dict(
    SITE,
    **RECORDS,
    **MIGRATIONS,
    **HEALTH,
    app=dict(type="str", required=True),
    config=dict(type="list", elements="path", default=[]),
    workers=dict(type="list", elements="str", default=[]),
    deadline=dict(type="int", default=60),
    patience=dict(type="int", default=30),
    keep=dict(type="int", default=5),
    session=dict(type="str"),
)
REPOSITORY = dict(
    repo=dict(type="str", required=True),
    version=dict(type="str", default="HEAD"),
    key=dict(type="str", no_log=True),
    subfolder=dict(type="str", default=""),
    submodules=dict(type="raw", default=True),
)
RELEASE = dict(
    entrypoint=dict(type="str", required=True),
    shared=dict(type="list", elements="str", default=[]),
    static_folder=dict(type="str", default=""),
    static_url=dict(type="str", default="/static"),
)
SOURCE = dict(
    source=dict(
        type="dict",
        options=dict(
            version=dict(type="str", required=True),
            commit=dict(type="str", required=True),
            bundle=dict(type="path"),
            history=dict(type="dict"),
        ),
    )
)
ADMINS = dict(
    admins=dict(
        type="dict",
        options=dict(
            owner=dict(type="str", required=True),
            users=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(
                    name=dict(type="str", required=True),
                    ssh_keys=dict(type="list", elements="str", no_log=False),
                ),
            ),
            groups=dict(type="list", elements="str", default=[]),
            login_keys=dict(type="str", default="", no_log=False),
            sudoers=dict(type="str", required=True),
        ),
    )
)
REQUIREMENTS = dict(
    requirements=dict(type="str", default=""),
    extras=dict(type="list", elements="str", default=[]),
    groups=dict(type="list", elements="str", default=[]),
)
ENVIRONMENT = dict(
    REQUIREMENTS,
    extra=dict(type="list", elements="str", default=[]),
    build_constraints=dict(type="list", elements="str", default=[]),
    requirements_env=dict(type="dict", default={}, no_log=True),
    python=dict(type="str", default=""),
    python_mirror=dict(type="str", no_log=True),
    python_downloads=dict(type="str", no_log=True),
    index_url=dict(type="str", no_log=True),
    extra_index_urls=dict(type="list", elements="str", default=[], no_log=True),
    index_strategy=dict(type="str", choices=["unsafe-first-match", "unsafe-best-match"], default="unsafe-first-match"),
)
FILES = dict(
    type="list",
    elements="dict",
    options=dict(
        dest=dict(type="path", required=True),
        content=dict(type="str"),
        link=dict(type="str"),
        state=dict(type="str", choices=["present", "absent"], default="present"),
        replace=dict(type="bool", default=True),
        owner=dict(type="str", default="root"),
        group=dict(type="str", default="root"),
        mode=dict(type="str", default="0644"),
    ),
    mutually_exclusive=[("content", "link")],
    required_if=[("state", "present", ("content", "link"), True)],
)


def lock_options(reason: str) -> dict:
    """The options of who takes the application's lock, with the reason where the task says none."""
    return dict(
        reason=dict(type="str", default=reason),
        owner=dict(type="dict"),
        gone=dict(type="list", elements="str", default=[]),
    )
