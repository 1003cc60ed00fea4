# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database server answers to one question, and whether something is missing there."""

from __future__ import annotations

import shlex

import pytest

ALL = "GRANT ALL PRIVILEGES ON `blog`.* TO `blog`@`localhost`\n"
USAGE = "GRANT USAGE ON *.* TO `blog`@`localhost` IDENTIFIED VIA unix_socket\n"
SOCKET = "anonymous 0\ndatabase\nplugin unix_socket\nconnections 0\n" + USAGE + ALL
OTHER = {"mysql_user": "other"}
OTHERS = SOCKET.replace("`blog`@", "`other`@")

# what it answers, what is set, whether nothing has to be done
ANSWERS = {
    "all is there": (SOCKET, {}, True),
    "MySQL": (SOCKET.replace("unix_socket", "auth_socket"), {"mysql_packages": ["mysql-server"]}, True),
    "nothing": ("", {}, False),
    "no database": (SOCKET.replace("database\n", ""), {}, False),
    "no user": ("anonymous 0\ndatabase\n", {}, False),
    "a bound that is not wanted": (SOCKET.replace("connections 0", "connections 60"), {}, False),
    "no bound": (SOCKET, {"flask_database_connections": 60}, False),
    "the bound": (SOCKET.replace("connections 0", "connections 60"), {"flask_database_connections": 60}, True),
    "no rights": (SOCKET.replace(ALL, ""), {}, False),
    "fewer rights": (SOCKET.replace("ALL PRIVILEGES", "SELECT"), {}, False),
    "rights on more": (SOCKET + "GRANT SELECT ON `shop`.* TO `blog`@`localhost`\n", {}, False),
    "rights on all": (SOCKET.replace("USAGE", "SUPER"), {}, False),
    "a password of the application, which a deployment changes": (SOCKET, {"mysql_password": "x"}, True),
    "a user of another name": (OTHERS, OTHER, True),
    "another user's password": (OTHERS, {**OTHER, "mysql_password": "x"}, False),
    "another user's plugin": (OTHERS.replace("unix_socket", "mysql_native_password"), OTHER, False),
    "a name that needs quotes": (SOCKET.replace("`blog`.", "`it's`."), {"mysql_database": "it's"}, False),
}


@pytest.fixture
def mysql(evaluate):
    """A variable of the role's, for an application with the default settings."""

    def mysql(name, **given):
        own = {"mysql_database": "blog", "mysql_user": "blog", "mysql_password": "", "flask_app": "blog"}
        return evaluate("mysql", name, **{**own, "mysql_packages": ["default-mysql-server"], **given})

    return mysql


@pytest.mark.parametrize("answer, given, complete", ANSWERS.values(), ids=ANSWERS)
def test_only_a_server_that_lacks_nothing_is_left_alone(answer, given, complete, mysql):
    assert mysql("__mysql_complete", __mysql_look={"stdout": answer}, **given) is complete


def test_the_question_is_one_argument_of_the_client(mysql):
    *options, query = shlex.split(mysql("__mysql_ask").partition(") ")[2])
    assert "--force" in options  # what is not there yet is no reason to say nothing of the rest
    assert query.count(";") == 4 and "FOR 'blog'@localhost" in query


@pytest.mark.parametrize("release, packages, capabilities", [
    ("12", "default-mysql-server", "CAP_IPC_LOCK"),
    ("13", "default-mysql-server", "CAP_DAC_OVERRIDE CAP_IPC_LOCK"),
    ("13", "mysql-server", "CAP_IPC_LOCK"),
])
def test_a_recent_mariadb_may_note_that_its_tables_are_up_to_date(release, packages, capabilities, mysql):
    facts = {"distribution": "Debian", "distribution_major_version": release}
    confinement = mysql("__mysql_confinement", ansible_facts=facts, mysql_packages=[packages])
    assert confinement["CapabilityBoundingSet"] == capabilities
