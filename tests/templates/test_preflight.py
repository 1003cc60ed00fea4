# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployments import DEPLOYMENTS, EVERYTHING, SHOP

ACME = {"flask_tls": "letsencrypt"}
TEXT = "-----BEGIN CERTIFICATE-----\nx\n"

FLASK = {
    "a module": {"flask_entrypoint": "blog:app"},
    "a factory": {"flask_entrypoint": "blog.web:create_app()"},
    "a factory with arguments": {"flask_entrypoint": "blog:create_app('production')"},
    "the longest name": {"flask_app": "a" * 30},
    "a name that MySQL once had": {"flask_app": "test"},
    "a version of Python": {"flask_python": "3.10"},
    "commands of a build": {"flask_build": ["npm run build", {"command": "npm ci", "network": True}], "flask_node": 22},
    "a patch of Node.js": {"flask_node": "20.18.0"},
    "a patch of Python": {"flask_python": "3.12.4"},
    "Python by its path": {"flask_python": "/opt/python/bin/python3"},
    "the distribution's Python": {"flask_python": "system"},
    "an address": {"flask_domain": "192.0.2.1"},
    "an IPv6 address": {"flask_domain": "2001:db8::1"},
    "a name of one letter": {"flask_domain": "x"},
    "other names": {"flask_aliases": ["www.example.com", "*.example.com"]},
    "paths for passwords": {"flask_login_urls": ["/auth/login", "/"]},
    "a database by its own name": {"mysql_database": "microblog", "mysql_user": "microblog"},
    "a database by another name": {
        "mysql_database": "x", "mysql_user": "y", "flask_env": {"DATABASE_URL": "mysql+pymysql://y@localhost/x"},
    },
    "files of one's own": {"flask_config_files": [{"dest": name, "content": "x"} for name in ("config.py", ".a/..b", "instance/x")]},
    "no database": {"flask_database": "none"},
    "a database elsewhere": {"flask_database": "external", "flask_env": {"DATABASE_URL": "postgresql://db/blog"}},
}

TLS = {
    "self-signed for an address": {"flask_domain": "192.0.2.1"},
    "names for Let's Encrypt": {**ACME, "flask_aliases": ["www.example.com"]},
    "a wildcard by DNS": {**ACME, "flask_aliases": ["*.example.com"], "tls_dns_hook": "#!/bin/sh\n"},
    "what is provided as text": {"flask_tls": "provided", "tls_certificate": TEXT, "tls_key": TEXT},
    "another server": {**ACME, "tls_acme_directory": "https://ca.example.com:8443/acme"},
    "what is for another origin": {"tls_certificate": "none.pem"},
}

NGINX = {"with everything": EVERYTHING, "with real certificates": ACME}

GOOD = {
    (role, case): given
    for role, cases in {"flask": FLASK, "tls": TLS, "nginx": NGINX}.items()
    for case, given in cases.items()
}

# For each role what is set, and what the message begins with.
ITS_URL = {"flask_env": {"DATABASE_URL": "mysql://x"}}
BAD_FLASK = {
    "a name with capitals": ({"flask_app": "Blog"}, "flask_app is 'Blog', which is no valid user name. Set it"),
    "a name that begins with a digit": ({"flask_app": "1blog"}, "flask_app is '1blog', which is no valid"),
    "a name that is too long": ({"flask_app": "a" * 31}, "flask_app is '%s', which is no valid" % ("a" * 31)),
    "a name with a line after it": ({"flask_app": "blog\n"}, "flask_app is 'blog\n', which is no valid"),
    "an empty name": ({"flask_app": ""}, "flask_app is ''"),
    "a version of Python that YAML has cut": ({"flask_python": 3.1}, "flask_python is '3.1'. Set it to a version from 3.8 on, in quotes"),
    "a command that YAML takes for a mapping": ({"flask_build": [{"echo a": "b"}]}, "flask_build has "),
    "a command that is a list": ({"flask_build": [["npm", "ci"]]}, "flask_build has ['npm', 'ci']. Set each to a command"),
    "an empty command": ({"flask_build": [" "]}, "flask_build has "),
    "another version of Node.js": ({"flask_node": "lts"}, "flask_node is 'lts'. Set it to a version, such as \"22\", or to system."),
    "an old Python": ({"flask_python": "2.7"}, "flask_python is '2.7'. Set it to a version from 3.8 on"),
    "Python with a word": ({"flask_python": "python3.12"}, "flask_python is 'python3.12'. Set it to"),
    "a name of the system": ({"flask_app": "www-data"}, "flask_app is 'www-data', the name of an administrator or"),
    "the name of an administrator": ({"flask_app": "deploy"}, "flask_app is 'deploy', the name of an administrator or"),
    **{
        "the name %s, which a host has" % name: ({"flask_app": name}, "flask_app is '%s', the name of an administrator or" % name)
        for name in ("shadow", "disk", "video", "docker", "journal", "apt", "default", "tmp", "pi", "sys", "letsencrypt")
    },
    "a user of the system as administrator": ({"flask_admins": [{"name": "www-data"}]}, "flask_admins has www-data, the user of"),
    "a database of the server": ({"mysql_database": "mysql", **ITS_URL}, "mysql_database is 'mysql', the server's own. Set it to"),
    "an account of the server": ({"mysql_user": "root", **ITS_URL}, "mysql_user is 'root', the server's own. Set it to another"),
    "no repository": ({"flask_repo": ""}, "flask_repo is empty. Set it to the URL"),
    "a word for submodules": ({"flask_submodules": "some"}, "flask_submodules is 'some'. Set it to true, to false, or to a list"),
    "a home elsewhere": ({"flask_home": "/home/blog"}, "flask_home is '/home/blog'. Set it to one of flask_shared_paths"),
    "no entrypoint": ({"flask_entrypoint": ""}, "flask_entrypoint is ''. Set it to 'module:name'"),
    "a file as entrypoint": ({"flask_entrypoint": "blog.py"}, "flask_entrypoint is 'blog.py'. Set it to"),
    "a path as entrypoint": ({"flask_entrypoint": "web/blog:app"}, "flask_entrypoint is 'web/blog:app'. Set it to"),
    "a URL as domain": ({"flask_domain": "https://blog.example.com"}, "flask_domain is 'https://blog.example.com'"),
    "two domains": ({"flask_domain": "a.example.com b.example.com"}, "flask_domain is 'a.example.com b.example.com'"),
    "a URL among the other names": ({"flask_aliases": ["https://x"]}, "flask_aliases is https://x. Set it to host names"),
    "a pattern for passwords": ({"flask_login_urls": ["/login*"]}, "flask_login_urls is /login*. Set it to paths"),
    "a proxy by its name": ({"flask_trusted_proxies": ["cloudflare", "lb.example.com"]}, "flask_trusted_proxies is cloudflare, lb"),
    "a password that is none": ({"flask_basic_auth": {"ana": ""}}, "flask_basic_auth has a name with a colon or a space"),
    "a name for a password with a colon": ({"flask_basic_auth": {"a:b": "x"}}, "flask_basic_auth has a name with a colon"),
    "a device that there is not": ({"flask_devices": ["gpio", "laser"]}, "flask_devices has laser. Set it to some of audio, gpio, i2c,"),
    **{
        "%s of memory" % size: ({"flask_max_memory": size}, "flask_max_memory is '%s'. Set it to a share of" % size)
        for size in ("150%", "0", "lots", "600", "1.5G", "50%\n")
    },
    "no share of the processors": ({"flask_cpu_weight": 0}, "flask_cpu_weight is 0. Set it to a number from 1 to 10000."),
    "a private folder elsewhere": ({"flask_private_folders": ["../x"]}, "flask_private_folders is ../x. Set it to names"),
    "a status of no healthy answer": ({"flask_health_status": [200, 503]}, "flask_health_status is 200, 503. Set it to"),
    "a health URL with a host": ({"flask_health_url": "https://x/"}, "flask_health_url is 'https://x/'. Set it to a path"),
    "no administrators": ({"flask_admins": []}, "flask_admins is empty, so nobody could log in afterwards."),
    "a key that is none": (
        {"flask_admins": [{"name": "ana", "ssh_keys": ["ssh-ed25519 AAAA ana", "~/.ssh/id.pub"]}, {"name": "bob"}]},
        "flask_admins has ssh_keys that are no public keys, for ana. Set each to the line",
    ),
    "a database that the application is not told": ({"mysql_database": "x"}, "mysql_database or mysql_user is not"),
    "a user that the application is not told": ({"mysql_user": "x"}, "mysql_database or mysql_user is not"),
    "no database, and what migrates it": (
        {"flask_database": "none", "flask_migration_command": "alembic upgrade head"},
        "flask_database is 'none', and flask_migration_command migrates one.",
    ),
    "no database, and its address": ({"flask_database": "none", **ITS_URL}, "flask_database is 'none', and flask_env or"),
    "settings that are not there": ({"flask_env_file": "no.env"}, "flask_env_file is 'no.env', and there is no file ./no.env."),
    **{
        "a file at " + dest: ({"flask_config_files": [{"dest": dest, "content": ""}]}, "flask_config_files has the dest " + dest)
        for dest in ("/etc/blog.cfg", "../x", "a/../../x", "..", ".env", ".venv/bin/x", ".brought/instance/x")
    },
    "a file with two contents": (
        {"flask_config_files": [{"dest": "config.py", "content": "", "src": "test_preflight.py"}]}, "flask_config_files has a file with both",
    ),
    "a file without a content": ({"flask_config_files": [{"dest": "config.py"}]}, "flask_config_files has a file with both or none"),
    "a file that is nowhere": ({"flask_config_files": [{"dest": "x", "src": "no.py"}]}, "flask_config_files has ./no.py, which is no"),
    "a database nobody named": ({"flask_database": "external"}, "flask_database is 'external'. Set DATABASE_URL"),
}

BAD_TLS = {
    "nothing provided": ({"flask_tls": "provided"}, "flask_tls is 'provided'. Set tls_certificate and tls_key"),
    "no key provided": ({"flask_tls": "provided", "tls_certificate": TEXT}, "flask_tls is 'provided'."),
    "a file that is not there": (
        {"flask_tls": "provided", "tls_certificate": TEXT, "tls_key": "none.pem"},
        "There is no file ./none.pem. Set tls_key to the path",
    ),
    "a wildcard by HTTP": ({**ACME, "flask_aliases": ["*.example.com"]}, "*.example.com has a wildcard, which is"),
    "an address": ({**ACME, "flask_domain": "192.0.2.1"}, "192.0.2.1 is an address. Set"),
    "an IPv6 address": ({**ACME, "flask_domain": "2001:db8::1"}, "2001:db8::1 is an address. Set"),
    "two servers": (
        {**ACME, "tls_acme_staging": True, "tls_acme_directory": "https://ca.example.com/d"},
        "tls_acme_staging is Let's Encrypt's, and tls_acme_directory is set to https://ca.example.com/d.",
    ),
    "a server without TLS": ({**ACME, "tls_acme_directory": "http://x/"}, "tls_acme_directory is 'http://x/'. Set it"),
}

BAD_NGINX = {
    "HTTP/3 where nginx has none": (
        {"nginx_http3_enabled": True}, "nginx_http3_enabled is true, but the nginx of Debian 12 has no HTTP/3.",
    ),
    "a rate in words": ({"nginx_login_rate": "ten a minute"}, "nginx_login_rate is 'ten a minute'."),
    "a variable of nginx in a policy": (
        {"nginx_csp": "default-src $x"}, "nginx_headers, nginx_csp or nginx_csp_report_only has",
    ),
    "a header of two lines": (
        {"nginx_headers": {"X-A": "a\nb"}}, "nginx_headers, nginx_csp or nginx_csp_report_only has",
    ),
    "a header whose name has a space": (
        {"nginx_headers": {"X A": "a"}}, "nginx_headers, nginx_csp or nginx_csp_report_only has",
    ),
    "a static URL with a slash behind": ({"flask_static_url": "/static/"}, "flask_static_url is '/static/'."),
    "an error page that is no file": (
        {"nginx_error_page": "/nowhere.html"}, "There is no file /nowhere.html. Set nginx_error_page to",
    ),
    "an error page that is beside the caller": (
        {"nginx_error_page": "test_preflight.py", "inventory_dir": "/etc"}, "There is no file /etc/test_preflight.py.",
    ),
}

BAD = {
    (role, case): example
    for role, cases in {"flask": BAD_FLASK, "tls": BAD_TLS, "nginx": BAD_NGINX}.items()
    for case, example in cases.items()
}


@pytest.mark.parametrize("role", ["flask", "tls", "nginx"])
@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_valid_inventory_passes(role, deployment, refusals):
    assert refusals(role, deployment) == []


@pytest.mark.parametrize("role, case", GOOD)
def test_what_is_right_passes(role, case, refusals):
    assert refusals(role, **GOOD[role, case]) == []


@pytest.mark.parametrize("role, case", BAD)
def test_what_is_wrong_is_answered_with_what_to_set(role, case, refusals, monkeypatch):
    given, message = BAD[role, case]
    monkeypatch.chdir(Path(__file__).parent)
    assert [text[: len(message)] for text in refusals(role, **given)] == [message]


HOST_WIDE = [
    "hardening_outgoing", "hardening_ssh_groups", "hardening_ssh_limit", "hardening_ssh_port", "hardening_ssh_settings",
    "system_reboot_time", "system_updates_enabled", "fail2ban_ssh_attempts", "fail2ban_ban_time",
]


@pytest.mark.parametrize("name", HOST_WIDE)
def test_one_host_has_one_value_of_what_is_for_all_of_it(name, refusals):
    for shop, own in (("x", None), (None, "x"), ("x", "y")):
        blog, other = ({name: value} if value else {} for value in (own, shop))
        (said,) = refusals("flask", **neighbours(blog, other))
        assert said.startswith(name + " differs between blog.example.com and shop, which are the same host. Set it")


@pytest.mark.parametrize("name", ["flask_web_server", "flask_mail_server"])
def test_one_host_has_one_proxy_and_one_mail_server(name, refusals):
    (said,) = refusals("flask", **neighbours({}, {name: "x"}))
    assert said.startswith(name + " differs between blog.example.com and shop, which are the same host. Set it")


@pytest.mark.parametrize("blog, shop", [
    ({"ansible_port": 2201}, {"ansible_port": "2201"}), ({"ansible_port": 2201}, {}), ({}, {"ansible_port": 2201}),
    ({"ansible_host": "shop"}, {"ansible_host": None}),
])
def test_a_host_is_one_by_its_address_and_port(blog, shop, refusals):
    given = neighbours(blog, {**shop, "hardening_outgoing": "deny"})
    given["hostvars"]["shop"] = {key: value for key, value in given["hostvars"]["shop"].items() if value is not None}
    (said,) = refusals("flask", **given)
    assert said.startswith("hardening_outgoing differs between blog.example.com and shop")


@pytest.mark.parametrize("blog, shop", [
    ({}, {}), ({"hardening_outgoing": "deny"}, {"hardening_outgoing": "deny"}), ({"hardening_ssh_limit": True}, {}),
    ({"hardening_ssh_groups": ["sudo"]}, {}), ({}, {"hardening_ssh_port": None, "system_reboot_time": ""}),
    ({"hardening_ports": [8443]}, {"flask_admins": [], "fail2ban_login_attempts": 3}),
    ({}, {"hardening_ssh_port": 2222, "ansible_host": "192.0.2.8"}),
    ({}, {"hardening_ssh_port": 2222, "ansible_host": None}),
    ({"hardening_ssh_port": "2222", "hardening_ssh_limit": "True"}, {"hardening_ssh_port": 2222}),
    ({"ansible_port": 2201}, {"ansible_port": "2202", "hardening_ssh_port": 2222}),
])
def test_applications_may_have_what_is_their_own(blog, shop, refusals):
    assert refusals("flask", **neighbours(blog, shop)) == []


@pytest.mark.parametrize("blog, shop, message", [
    ({}, {"flask_app": "microblog"}, "flask_app is 'microblog' for shop, too, which is the same host as blog.example.com."),
    ({}, {"flask_domain": "Blog.example.com"}, "blog.example.com is a name of shop, too, which is the same host as"),
    ({"flask_aliases": ["shop"]}, {}, "blog.example.com or shop is a name of shop, too"),
    ({}, {"flask_aliases": ["blog.example.com"]}, "blog.example.com is a name of shop, too"),
])
def test_applications_of_one_host_have_names_of_their_own(blog, shop, message, refusals):
    (said,) = refusals("flask", **neighbours(blog, shop))
    assert said.startswith(message) and " Set " in said


def test_the_user_of_another_application_is_no_administrator(refusals):
    (said,) = refusals("flask", **neighbours({"flask_admins": [{"name": "ana"}, {"name": "shop"}]}, {}))
    assert said.startswith("flask_admins has shop, the user of an application or of the system, who would get sudo.")


def test_applications_of_two_hosts_may_have_the_same_names(refusals):
    same = {"flask_app": "microblog", "flask_domain": "blog.example.com", "ansible_host": "192.0.2.8"}
    assert refusals("flask", **neighbours({}, same)) == []


@pytest.mark.parametrize("removed, refused", [("microblog", False), ("a-former-name", False), ("shop", True), ("", False)])
def test_the_application_of_another_host_is_not_removed_from_this_one(removed, refused, refusals):
    given = neighbours({"flask_app": "microblog"}, {})
    said = refusals("flask", **{**given, "flask_remove": removed, "flask_app": removed or "microblog"})
    assert said == (["flask_remove is 'shop', the application of shop and not of blog.example.com. Add --limit shop."] if refused else [])


LOGIN = {"distribution": "debian", "distribution_version": "12", "taken": [], "sites": []}
SITE = {"place": "first", "kind": "application", "domain": "blog.example.com", "path": "/etc/nginx/sites-enabled/a"}
OTHER = {**SITE, "place": "other"}


@pytest.mark.parametrize("found, message", [
    ({"distribution_version": "11"}, "blog.example.com runs debian 11, which is none of debian 12"),
    ({"taken": ["the group render", "/srv/microblog"]},
     "flask_app is 'microblog', and blog.example.com has the group render, /srv/microblog, which no run of this"),
    ({"sites": [SITE]}, "blog.example.com is a name of the application a on blog.example.com, too, and visitors"),
    ({"sites": [{**SITE, "kind": "foreign"}]}, "/etc/nginx/sites-enabled/a on blog.example.com is a site for blog.example.com,"),
    ({"sites": [{**OTHER, "domain": "www.example.com"}]}, "www.example.com is a name of the application a on"),
])
def test_a_host_with_something_else_of_the_name_is_refused(found, message, evaluate):
    (said,) = host_refusals(evaluate, found)
    assert said.startswith(message) and " set " in said.lower()


def test_another_application_may_be_served_at_the_hosts_address(evaluate):
    assert host_refusals(evaluate, {"sites": [OTHER]}) == []


def host_refusals(evaluate, found):
    checks = evaluate("flask", "__flask_host_checks", __flask_login={**LOGIN, **found})
    return [check["message"] for check in checks if not check["valid"]]


@pytest.mark.parametrize("shop, turns", [({}, 1), ({"ansible_host": "192.0.2.8"}, 0)])
def test_names_of_one_host_take_turns(shop, turns, evaluate):
    assert evaluate("flask", "__flask_turns", **neighbours({}, shop)) == turns


SMARTHOST = {"postfix_smarthost": "[smtp.example.com]:587", "postfix_smarthost_user": "a", "postfix_smarthost_password": "b"}


@pytest.mark.parametrize("blog, shop, name, differing", [
    ({}, {}, "blog.example.com", []),
    ({}, {"flask_domain": "about.example.com"}, "about.example.com", []),
    ({}, {"flask_domain": "about.example.com", "flask_mail_enabled": False}, "blog.example.com", []),
    ({}, {"ansible_host": "192.0.2.8", "flask_domain": "about.example.com", **SMARTHOST}, "blog.example.com", []),
    ({"postfix_hostname": "mail.example.com"}, {"postfix_hostname": "mail.example.com"}, "mail.example.com", []),
    ({"postfix_hostname": "mail.example.com"}, {}, "mail.example.com", ["postfix_hostname"]),
    ({}, {"postfix_hostname": "mail.example.com"}, "blog.example.com", ["postfix_hostname"]),
    (SMARTHOST, SMARTHOST, "blog.example.com", []),
    (SMARTHOST, {**SMARTHOST, "postfix_smarthost_password": "c"}, "blog.example.com", ["postfix_smarthost_password"]),
    (SMARTHOST, {}, "blog.example.com", list(SMARTHOST)),
])
def test_a_host_has_one_mail_server_for_all_its_applications(blog, shop, name, differing, evaluate, refusals):
    given = neighbours({"flask_domain": "blog.example.com", **blog}, shop)
    assert evaluate("postfix", "postfix_hostname", **given) == name
    said = refusals("postfix", **given)
    assert [text.startswith(" and ".join(differing) + " differs between blog.example.com and shop, which") for text in said] == [True] * bool(differing)


def neighbours(blog, shop):
    """Two applications of an inventory, at one address unless the second has another."""
    hosts = {"blog.example.com": blog, "shop": {**SHOP, **shop}, "mail": {"ansible_host": SHOP["ansible_host"]}}
    return {"hostvars": hosts, "groups": {"all": list(hosts)}, "ansible_host": SHOP["ansible_host"], **blog}
