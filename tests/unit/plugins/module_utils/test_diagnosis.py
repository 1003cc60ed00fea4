# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build.diagnosis import explain

GCC = "error: Command '['x86_64-linux-gnu-gcc', '-Wsign-compare', '-DNDEBUG']' returned non-zero exit status 1."
# what uv said, the Pythons that the index has something ready-made for, and what helps
SAID = {
    "a header": (
        "error: Failed to build `python-ldap==3.4.4`\n Modules/common.h:15:10: fatal error: lber.h: No such file or directory\n" + GCC,
        [], "Set base_extra_packages to [build-essential, python3-dev, libldap-dev, libsasl2-dev], and run `selfhost.flask.site`.",
    ),
    "pg_config": (
        "error: Failed to build `psycopg2==2.9.9`\n Error: pg_config executable not found.",
        [], "psycopg2 2.9.9 has to be compiled here. Set base_extra_packages to [build-essential, python3-dev, libpq-dev], and",
    ),
    "pkg-config": (
        "error: Failed to build `mysqlclient==2.2.4`\n Exception: Can not find valid pkg-config name.",
        [], "[build-essential, python3-dev, default-libmysqlclient-dev, pkg-config]",
    ),
    "xml": (
        "error: Failed to build `lxml==4.6.0`\n Error: Please make sure the libxml2 and libxslt development packages are installed.",
        [], "[build-essential, python3-dev, libxml2-dev, libxslt1-dev, zlib1g-dev]",
    ),
    "pictures": (
        "error: Failed to build `pillow==9.0.1`\n The headers or library files could not be found for jpeg,",
        [], "[build-essential, python3-dev, libjpeg-dev, zlib1g-dev, libfreetype-dev]",
    ),
    "cairo": (
        "error: Failed to build `pycairo==1.26.0`\n Perhaps you should add the directory containing `cairo.pc'",
        [], "[build-essential, python3-dev, libcairo2-dev, pkg-config]",
    ),
    "ffi": (
        "error: Failed to build `cffi==1.14.0`\n c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory\n" + GCC,
        [], "[build-essential, python3-dev, libffi-dev]",
    ),
    "Rust": (
        "error: Failed to build `cryptography==41.0.0`\n error: can't find Rust compiler",
        [], "[build-essential, python3-dev, libssl-dev, libffi-dev, pkg-config, cargo]",
    ),
    "no compiler": (
        "error: Failed to build `uvloop==0.17.0`\n error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
        [], "uvloop 0.17.0 has to be compiled here. Set base_extra_packages to [build-essential, python3-dev], and run `selfhost.flask.site`.",
    ),
    "another Python": (
        "error: Failed to build `psycopg2-binary==2.9.2`\n Error: pg_config executable not found.",
        ["3.10", "3.9"],
        "psycopg2-binary 2.9.2 has no ready-made package for Python 3.13; it has one for Python 3.10, 3.9. In the "
        'inventory, set flask_python: "3.10", or ask for a newer version of psycopg2-binary.',
    ),
    "another Python, said by uv": (
        "  cause: Because greenlet==3.0.1 has no wheels with a matching Python ABI tag (e.g., `cp313`) and you require greenlet==3.0.1",
        ["3.12"], "greenlet 3.0.1 has no ready-made package for Python 3.13; it has one for Python 3.12.",
    ),
    "code of another time": (
        "error: Failed to build `greenlet==0.4.16`\n greenlet.c:1079:33: error: has no member named 'exc_traceback'\n" + GCC,
        [], "greenlet 0.4.16 was not written for Python 3.13, so its code does not compile.",
    ),
    "2to3": (
        "error: Failed to build `anyjson==0.3.3`\n error in anyjson setup command: use_2to3 is invalid.",
        [], "anyjson 0.3.3 can't be built with present tools. Set app_build_constraints to ['setuptools<58'], or ask for a newer version.",
    ),
    "Feature": ("error: Failed to build `markupsafe==1.0`\n ImportError: cannot import name 'Feature' from 'setuptools' (/x)", [], "['setuptools<46']"),
    "pkg_resources": ("error: Failed to build `x==1`\n ModuleNotFoundError: No module named 'pkg_resources'", [], "['setuptools<81']"),
    "Cython": ("error: Failed to build `pyyaml==5.4.1`\n AttributeError: 'build_ext' object has no attribute 'cython_sources'", [], "['cython<3']"),
    "Windows": (
        "hint: Wheels are available for `pywin32` (v306) on the following platforms: `win32`, `win_amd64`",
        [], "pywin32 is for other systems alone (win32, win_amd64). Take it out, or write `pywin32; sys_platform == 'win32'`",
    ),
    "a newer Python": (
        "  cause: Because the current Python version (3.11.2) does not satisfy Python>=3.12 and numpy==2.4 depends on Python>=3.12",
        [], 'It needs Python>=3.12, and this is Python 3.11.2. In the inventory, set flask_python: "3.12", or ask',
    ),
    "a private repository": ("git@h: Permission denied (publickey).", [], "flask_deploy_key has to be a key that may read it"),
    "a private index": ("error: HTTP status client error (401 Unauthorized) for url (https://****@h/simple/x/)", [], "A package index wants a password."),
    "something else": ("error: no such thing", [], ""),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_missing_is_named_with_the_line_that_helps(case):
    said, pythons, helpful = SAID[case]
    found = explain(said, lambda requirement: pythons, "Python 3.13")
    assert helpful in found and bool(helpful) == bool(found)
