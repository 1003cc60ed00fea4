# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services beside an application are started with, and what it is told of them."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess

import pytest
import yaml
from deployments import DEPLOYMENTS, ROLES

SECRET = "p%4$#'\"@/ :\\w"


def unit_of(text: str) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(text)
    return unit


def settings_of(text: str) -> dict:
    """A configuration file of Redis', whose quotes are those of C."""
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: " ".join(shlex.split(value)) for name, dummy, value in lines}


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


@pytest.mark.parametrize("name", ["server", "sentinel", "redis"])
def test_an_application_is_not_called_as_a_unit_of_debians(name, refusals):
    given = {"flask_app": name, "flask_services": ["redis"], "inventory_dir": None}
    assert any("the name of an administrator or of something else that a host has" in one for one in refusals("flask", "usual", **given))


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


def test_memcached_is_the_applications_own(render, evaluate):
    service = unit_of(render("memcached", "memcached.service.j2", memcached_max_memory=32, memcached_max_item=4))["Service"]
    assert service["ExecStart"] == "/usr/bin/memcached -s /run/memcached-microblog/memcached.sock -a 0700 -m 32 -I 4m"
    assert (service["User"], service["RuntimeDirectoryMode"], service["MemoryMax"]) == ("microblog", "0700", "96M")
    assert (service["PrivateNetwork"], service["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")
    assert env(evaluate, ["memcached"]) == {"MEMCACHED_SERVER": "/run/memcached-microblog/memcached.sock"}


def test_rabbitmq_listens_on_the_loopback_alone(render):
    found = render("rabbitmq", "rabbitmq.conf.j2", rabbitmq_settings={"heartbeat": 30}).splitlines()
    assert {"listeners.tcp.local = 127.0.0.1:5672", "heartbeat = 30", "vm_memory_high_watermark.absolute = 256MB"} < set(found)
    assert unit_of(render("rabbitmq", "epmd.conf.j2").replace("ListenStream=\n", ""))["Socket"]["ListenStream"] == "127.0.0.1:4369"
    environment = render("rabbitmq", "rabbitmq-env.conf.j2").splitlines()
    assert environment[-3:] == [
        "NODENAME=rabbit@localhost",
        'SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"',
        'CTL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"',
    ]
    service = unit_of(render("rabbitmq", "confinement.conf.j2", rabbitmq_max_memory=100))["Service"]
    assert (service["MemoryMax"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("200M", "yes", "strict")


BROKER = """#!/bin/sh
echo "$@" >>calls
case $2 in
import_definitions) cat >>definitions ;;
list_users) cat users ;;
esac
"""


@pytest.mark.parametrize("users, removed", [("guest\t[administrator]", 1), ("microblog\t[]\nguests\t[]", 0)])
def test_an_application_has_its_own_account_in_rabbitmq(users, removed, render, tmp_path):
    (tmp_path / "rabbitmqctl").write_text(BROKER)
    (tmp_path / "rabbitmqctl").chmod(0o755)
    (tmp_path / "users").write_text(users + "\n")
    script = render("rabbitmq", "account.sh.j2").replace("/srv/microblog/deployment", str(tmp_path))
    path = "%s:%s" % (tmp_path, os.environ["PATH"])
    for dummy in range(2):  # the second time, the password stays
        subprocess.run(["sh", "-c", script], check=True, cwd=tmp_path, env={"PATH": path})
    url = (tmp_path / "rabbitmq.url").read_text()
    password = re.fullmatch("amqp://microblog:([0-9a-f]{64})@127.0.0.1:5672/microblog\n", url)[1]
    assert (tmp_path / "rabbitmq.url").stat().st_mode & 0o777 == 0o600
    first, second = re.findall("{.*?}]}", (tmp_path / "definitions").read_text(), re.S)
    assert first == second and json.loads(first) == {
        "users": [{"name": "microblog", "password": password, "tags": ""}],
        "vhosts": [{"name": "microblog"}],
        "permissions": [{"user": "microblog", "vhost": "microblog", "configure": ".*", "write": ".*", "read": ".*"}],
    }
    calls = (tmp_path / "calls").read_text()
    assert calls.count("delete_user guest") == 2 * removed and password not in calls


def test_a_setting_that_a_file_has_wins_over_that_of_another_part_and_not_over_the_users(evaluate):
    both = {"flask_services": ["redis", "rabbitmq"]}
    url = "/srv/microblog/deployment/rabbitmq.url"
    assert evaluate("app", "__app_env_files", **both) == {"AMQP_URL": url, "CELERY_BROKER_URL": url}
    found = evaluate("app", "__app_env", **both)
    assert "CELERY_BROKER_URL" not in found and found["CELERY_RESULT_BACKEND"].startswith("redis+socket")
    own = dict(both, flask_env={"CELERY_BROKER_URL": "mine"})
    assert evaluate("app", "__app_env_files", **own) == {"AMQP_URL": url}
    assert evaluate("app", "__app_env", **own)["CELERY_BROKER_URL"] == "mine"
    assert evaluate("app", "__app_env_files") == {}


ELASTIC = {"elasticsearch_repository": "https://apt.example.com stable main", "elasticsearch_repository_key": "KEY"}


def test_elasticsearch_comes_from_the_users_own_source(evaluate):
    given = dict(ELASTIC, flask_services=["elasticsearch"])
    files = evaluate("base", "query('selfhost.flask.parts', 'sources')", **given)
    assert {entry["dest"]: entry["content"] for entry in files} == {
        "/etc/apt/keyrings/selfhost-elasticsearch.asc": "KEY\n",
        "/etc/apt/sources.list.d/selfhost-elasticsearch.list":
            "deb [signed-by=/etc/apt/keyrings/selfhost-elasticsearch.asc] https://apt.example.com stable main\n",
    }
    (play,) = yaml.safe_load((ROLES.parent / "playbooks/provision.yml").read_text())
    assert play["vars"]["base_sources"] == "{{ query('selfhost.flask.parts', 'sources') }}"
    assert env(evaluate, ["elasticsearch"], **ELASTIC) == {"ELASTICSEARCH_URL": "http://127.0.0.1:9200"}


def test_elasticsearch_is_one_node_on_the_loopback_within_its_memory(render):
    found = yaml.safe_load(render("elasticsearch", "elasticsearch.yml.j2", elasticsearch_settings={"cluster.name": "x: y"}))
    assert (found["http.host"], found["transport.host"], found["discovery.type"]) == ("127.0.0.1", "127.0.0.1", "single-node")
    assert (found["cluster.name"], found["xpack.security.enabled"]) == ("x: y", False)
    assert render("elasticsearch", "jvm.options.j2", elasticsearch_heap=300).splitlines()[-2:] == ["-Xms300m", "-Xmx300m"]
    service = unit_of(render("elasticsearch", "confinement.conf.j2", elasticsearch_heap=300))["Service"]
    assert (service["MemoryMax"], service["ProtectSystem"]) == ("600M", "strict")


def test_opensearch_is_the_same_but_for_its_names_and_for_how_it_has_no_passwords(render, evaluate):
    given = dict(ELASTIC, elasticsearch_product="opensearch", flask_services=["elasticsearch"])
    found = yaml.safe_load(render("elasticsearch", "elasticsearch.yml.j2", **given))
    assert (found["http.host"], found["path.data"], found["plugins.security.disabled"]) == ("127.0.0.1", "/var/lib/opensearch", True)
    assert not [name for name in found if "xpack" in name]
    service = unit_of(render("elasticsearch", "confinement.conf.j2", **given))["Service"]
    assert service["ReadWritePaths"] == "/etc/opensearch /var/lib/opensearch /var/log/opensearch"
    declared = {key: evaluate("base", "query('selfhost.flask.parts', '%s', kind='companion')" % key, **given) for key in ("packages", "units", "installation")}
    assert declared == {"packages": ["opensearch"], "units": ["opensearch.service"], "installation": [{"DISABLE_INSTALL_DEMO_CONFIG": "true"}]}
    assert set(env(evaluate, ["elasticsearch"], **ELASTIC, elasticsearch_product="opensearch")) == {"ELASTICSEARCH_URL", "OPENSEARCH_URL"}


def test_packages_are_installed_in_the_environment_that_parts_want(evaluate):
    (play,) = yaml.safe_load((ROLES.parent / "playbooks/provision.yml").read_text())
    assert play["vars"]["base_environment"] == "{{ query('selfhost.flask.parts', 'installation') | combine }}"
    assert evaluate("base", "query('selfhost.flask.parts', 'installation') | combine") == {}
    tasks = yaml.safe_load((ROLES / "base/tasks/packages.yml").read_text())
    assert [task.get("environment") for task in tasks if "selfhost.flask.host_packages" in task] == ["{{ base_environment }}"]


@pytest.mark.parametrize("given, text", [({}, "Debian has no package of elasticsearch"), (dict(ELASTIC, elasticsearch_repository="deb https://x"), "after 'deb'")])
def test_elasticsearch_without_a_source_is_refused(given, text, refusals):
    assert any(text in message for message in refusals("elasticsearch", **given))
    assert refusals("elasticsearch", **ELASTIC) == []


@pytest.mark.parametrize("memory, force, valid", [(987, False, False), (987, True, True), (1950, False, True)])
def test_elasticsearch_wants_a_host_with_two_gigabytes(memory, force, valid, evaluate):
    given = {"__flask_login": {"memory_mb": memory}, "elasticsearch_force": force}
    (check,) = evaluate("elasticsearch", "__elasticsearch_host_checks", **given)
    assert check["valid"] == valid and "has %d MB of memory, which is too little" % memory in check["message"]
