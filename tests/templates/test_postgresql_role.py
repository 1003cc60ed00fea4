# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL is configured with, and what the application is told of it."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from deployments import ROLES, load, variables_of

PART = ROLES / "postgresql/vars/part.yml"


def declared(field, deployment="usual", **given):
    """A field of the part's declaration, as others read it."""
    return Templar(DataLoader(), variables_of("postgresql", deployment, **given)).template(load(PART)[field])


def lines(text):
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_who_is_let_in(render):
    found = lines(render("postgresql", "pg_hba.conf.j2", postgresql_hba=["host all bob 10.0.0.7/32 scram-sha-256"]))
    assert found == [
        ["local", "all", "postgres", "peer"],
        ["local", "all", "+selfhost_loaders", "peer", "map=selfhost_loaders"],
        ["host", "all", "bob", "10.0.0.7/32", "scram-sha-256"],
        ["local", "sameuser", "+selfhost_passwords", "scram-sha-256"],
        ["local", "sameuser", "all", "peer"],
        ["local", "all", "all", "reject"],
        ["host", "all", "all", "all", "reject"],
    ]
    assert lines(render("postgresql", "pg_ident.conf.j2")) == [["selfhost_loaders", "/^(.+)$", "\\1__loader"]]


def test_settings_of_ones_own_win(render):
    text = render("postgresql", "selfhost.conf.j2", postgresql_settings={"shared_buffers": "1GB", "log_line_prefix": "it's %m "})
    assert "\nlisten_addresses = ''\n" in text and "\njit = 'off'\n" in text and "\nmax_connections = '100'\n" in text
    assert "\nshared_buffers = '1GB'\n" in text and "\nlog_line_prefix = 'it''s %m '\n" in text


def test_service_is_confined(render):
    text = render("postgresql", "confinement.conf.j2", postgresql_confinement={"ProtectHome": "no"})
    assert "\n[Service]\n" in text and "\nNoNewPrivileges=yes\n" in text and "\nProtectHome=no\n" in text
    assert "\nProtectSystem=full\n" in text


DIALECTS = {
    "postgresql+psycopg": ["psycopg[binary]"],
    "postgresql+psycopg2": ["psycopg2-binary"],
    "postgresql": [],
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_comes_with_its_package(dialect):
    assert declared("python", postgresql_dialect=dialect) == DIALECTS[dialect]
    assert declared("env", postgresql_dialect=dialect)["DATABASE_URL"].startswith(dialect + "://microblog@/microblog?")


def test_url_names_the_socket_and_keeps_any_password():
    assert declared("env") == {"DATABASE_URL": "postgresql+psycopg://microblog@/microblog?host=/run/postgresql"}
    url = declared("env", "nasty")["DATABASE_URL"]
    assert url.startswith("postgresql+psycopg://a-b_c9-of-thirty-letters-long-:p%254%24%23%27%22%40%2F%20%3A%5Cw@/a-b_c9")


VERSIONS = {("Debian", "12"): "15", ("Debian", "13"): "17", ("Raspbian", "12"): "15", ("Ubuntu", "22"): "14", ("Ubuntu", "24"): "16"}


@pytest.mark.parametrize("distribution", VERSIONS)
def test_version_is_the_distributions(distribution, evaluate):
    facts = dict(zip(("distribution", "distribution_major_version"), distribution))
    assert declared("packages", ansible_facts=facts) == ["postgresql-" + VERSIONS[distribution]]
    assert evaluate("postgresql", "__postgresql_unit", ansible_facts=facts) == "postgresql@%s-main" % VERSIONS[distribution]


def test_an_unknown_distribution_is_asked_for_its_version():
    facts = {"distribution": "Debian", "distribution_major_version": "99"}
    (check,) = declared("host_checks", ansible_facts=facts)
    assert not check["valid"] and "Which PostgreSQL Debian 99 has is not known. Set postgresql_version" in check["message"]
    assert declared("host_checks", ansible_facts=facts, postgresql_version="18")[0]["valid"]


def test_extensions_bring_their_packages():
    found = declared("packages", flask_database_extensions=["vector", "pg_trgm", "postgis"])
    assert found == ["postgresql-15", "postgresql-15-pgvector", "postgresql-15-postgis-3"]


REFUSALS = {
    "a name whose loader has a name of the server's": ({"flask_app": "pg"}, "PostgreSQL keeps names that begin with pg_ for itself"),
    "a name of the server's": ({"flask_app": "pg_blog"}, "PostgreSQL keeps names that begin with pg_ for itself"),
    "a database of the server's": ({"postgresql_database": "template1"}, "postgresql_database is 'template1', the server's own"),
    "another's database": ({"postgresql_database": "wiki"}, "the application would still log in with that name"),
    "no dialect": ({"postgresql_dialect": "psycopg2://"}, "postgresql_dialect is 'psycopg2://'"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_can_t_be_meant_is_refused(case, refusals):
    given, text = REFUSALS[case]
    assert any(text in message for message in refusals("postgresql", **given))
    assert refusals("postgresql") == []
