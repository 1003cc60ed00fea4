# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services beside an application are started with, and what it is told of them."""

from __future__ import annotations

import configparser
import shlex

import pytest
from deployments import DEPLOYMENTS

SECRET = "p%4$#'\"@/ :\\w"


def unit_of(text: str) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(text)
    return unit


def settings_of(text: str) -> dict:
    """A configuration file of Redis', whose quotes are those of C."""
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: "".join(shlex.split(value)) for name, dummy, value in lines}


def env(evaluate, services, deployment="usual", **given):
    return evaluate("app", "query('selfhost.flask.parts', 'env', kind='companion') | combine", deployment, flask_services=services, **given)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_redis_is_the_applications_own(deployment, render, evaluate):
    name = DEPLOYMENTS[deployment]["flask_app"]
    found = settings_of(render("redis", "redis.conf.j2", deployment))
    assert (found["port"], found["unixsocket"], found["unixsocketperm"]) == ("0", "/run/redis-%s/redis.sock" % name, "700")
    service = unit_of(render("redis", "redis.service.j2", deployment))["Service"]
    assert (service["User"], service["RuntimeDirectory"], service["RuntimeDirectoryMode"]) == (name, "redis-" + name, "0700")
    assert (service["PrivateNetwork"], service["RestrictAddressFamilies"], service["CapabilityBoundingSet"]) == ("yes", "AF_UNIX", "")
    assert env(evaluate, ["redis"], deployment) == {
        "REDIS_URL": "unix:///run/redis-%s/redis.sock?db=0" % name,
        "CELERY_BROKER_URL": "redis+socket:///run/redis-%s/redis.sock?virtual_host=0" % name,
        "CELERY_RESULT_BACKEND": "redis+socket:///run/redis-%s/redis.sock?virtual_host=0" % name,
    }


def test_redis_loses_no_job_and_stays_within_its_memory(render):
    found = settings_of(render("redis", "redis.conf.j2", redis_max_memory=100))
    assert (found["maxmemory"], found["maxmemory-policy"], found["save"]) == ("100mb", "noeviction", "60 1")
    assert unit_of(render("redis", "redis.service.j2", redis_max_memory=100))["Service"]["MemoryMax"] == "264M"


def test_settings_of_ones_own_win_over_those_of_redis(render):
    given = {"redis_settings": {"appendonly": "yes", "save": 'it\'s "x"'}, "redis_confinement": {"MemoryMax": "1G"}}
    found = settings_of(render("redis", "redis.conf.j2", **given))
    assert (found["appendonly"], found["save"]) == ("yes", 'it\'s "x"')
    assert unit_of(render("redis", "redis.service.j2", **given))["Service"]["MemoryMax"] == "1G"


def test_redis_has_its_data_where_backups_are_made_of_unless_it_is_a_cache(render, evaluate):
    ask = "query('selfhost.flask.parts', 'data_units')"
    assert settings_of(render("redis", "redis.conf.j2"))["dir"] == "/srv/microblog/shared/redis/data"
    assert evaluate("backup", "__backup_host_settings", flask_services=["redis"])["readers"] == ["redis-microblog.service"]
    cache = {"redis_persistent": False, "flask_services": ["redis"]}
    found = settings_of(render("redis", "redis.conf.j2", **cache))
    assert (found["save"], found["dir"]) == ("", "/run/redis-microblog")
    assert "ExecStartPre" not in render("redis", "redis.service.j2", **cache)
    assert evaluate("backup", ask, **cache) == []


def test_redis_for_a_library_that_knows_no_sockets(render, evaluate, refusals):
    given = {"redis_port": 6380, "redis_password": SECRET}
    found = settings_of(render("redis", "redis.conf.j2", **given))
    assert (found["bind"], found["port"], found["requirepass"]) == ("127.0.0.1", "6380", SECRET)
    url = "redis://:p%254%24%23%27%22%40%2F%20%3A%5Cw@127.0.0.1:6380/0"
    assert set(env(evaluate, ["redis"], **given).values()) == {url}
    assert unit_of(render("redis", "redis.service.j2", **given))["Service"]["RestrictAddressFamilies"] == "AF_UNIX AF_INET"
    assert refusals("redis", **given) == [] == refusals("redis")


@pytest.mark.parametrize("given, text", [
    ({"redis_port": 6380}, "where every user of the host could read"),
    ({"redis_password": "x"}, "Leave it out, or set redis_port"),
    ({"redis_port": 6379, "redis_password": "x", "redis_default_enabled": True}, "Set it to another one"),
    ({"redis_eviction": "lru"}, "Set it to one of noeviction, allkeys-lru"),
    ({"redis_max_memory": 1}, "at least 4 megabytes"),
])
def test_what_can_t_be_meant_for_redis_is_refused(given, text, refusals):
    (found,) = refusals("redis", **given)
    assert text in found
