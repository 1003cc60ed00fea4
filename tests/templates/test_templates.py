# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each template, rendered from an inventory, is read by what will read it on the host."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import stat
import subprocess
import sys
from html.parser import HTMLParser
from types import ModuleType

import pytest
from ansible.parsing.dataloader import DataLoader
import yaml
from ansible.template import trust_as_template
from deployments import DEPLOYMENTS, ROLES, SHOP

PAGE = "report.html.j2"  # of the doctor, which is for a browser
TEMPLATES = sorted(path.relative_to(ROLES) for path in ROLES.glob("*/templates/*.j2") if path.name != PAGE)
NOT_KEPT = {"look.sh.j2", "needs.sh.j2", "jobs.yml.j2", "job_services.yml.j2"}  # they are run, or read by the role itself
SBIN = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"


def run(*argv, **options):
    """A command's output; it has to succeed."""
    result = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def installed(name):
    """The path of a parser that is on servers rather than on a developer's machine."""
    return shutil.which(name, path=SBIN)


def test_nothing_is_left_to_a_handler_which_is_lost_with_its_run():
    files = [*ROLES.glob("*/tasks/*.yml"), *ROLES.parent.glob("playbooks/*.yml")]
    assert [path.name for path in files if re.search(r"notify:|flush_handlers", path.read_text())] == []
    assert list(ROLES.glob("*/handlers")) == []


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_is_rendered_and_says_who_wrote_it(template, deployment, render):
    job = {"name": "report", "command": "flask report", "schedule": "@daily"}
    about = dict(__nginx_error={"title": "Down", "text": "Wait."}, __flask_login={"missing": ["python3"]}, job=job)
    text = render(template.parts[0], template.name, deployment, **about)
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert "{{" not in text and "{%" not in text
    managed = re.match(r"(#!.*\n)?([#;]\s*\n)*[#;] Ansible managed\n|<!doctype html>\n<!-- Ansible managed -->\n", text)
    assert managed or template.name in NOT_KEPT


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("role, name", [
    ("app", "flask.j2"), ("gunicorn", "serve.j2"), ("tls", "deploy-hook.j2"), ("deployment", "work.j2"), ("deployment", "jobs.sh.j2"),
    ("supervisor", "bounded.j2"),
    ("system", "look.sh.j2"), ("system", "profile.sh.j2"), ("flask", "needs.sh.j2"),
])
def test_a_script_is_one_for_a_shell(role, name, deployment, render, tmp_path):
    (tmp_path / "script").write_text(render(role, name, deployment, __flask_login={"missing": ["python3"]}))
    run("sh", "-n", tmp_path / "script")


class Home:
    """An application's folder, with programs that print how they were called."""

    def __init__(self, root):
        self.root = root
        self.release = root / "releases/v1"
        (self.release / ".venv/bin").mkdir(parents=True)
        (root / "slots").mkdir()
        (root / "bin").mkdir()

    def program(self, path, *variables):
        """A program that prints these variables of its environment and then its arguments."""
        shown = " ".join('"$%s"' % name for name in variables)
        path.write_text("#!/bin/sh\nfor word in %s \"$@\"; do printf '%%s\\n' \"$word\"; done\n" % shown)
        path.chmod(0o755)

    def call(self, script, *arguments):
        """The lines that the script's program prints, or its exit code."""
        (self.root / "script").write_text(script)
        environment = {"PATH": "%s/bin:/usr/bin:/bin" % self.root}
        argv = ["sh", str(self.root / "script"), *arguments]
        result = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        return result.stdout.splitlines() if result.returncode == 0 else result.returncode


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_flask_command_runs_as_the_user_with_the_settings(deployment, render, home):
    (home.root / "current").symlink_to("releases/v1")
    home.program(home.root / "bin/runuser", "FLASK_APP", "PWD")
    user, entrypoint = (DEPLOYMENTS[deployment][key] for key in ("flask_app", "flask_entrypoint"))
    script = render("app", "flask.j2", deployment, __flask_root=str(home.root))
    expected = [entrypoint, str(home.release), "-u", user, "--", "flask", "shell", "a b"]
    assert home.call(script, "shell", "a b") == expected


def test_the_flask_command_is_never_in_debug_mode(render, home):
    """What .flaskenv says is of the developer's machine; Flask reads it unless the environment says otherwise."""
    (home.root / "current").symlink_to("releases/v1")
    home.program(home.root / "bin/runuser", "FLASK_DEBUG")
    assert home.call(render("app", "flask.j2", __flask_root=str(home.root)), "run")[0] == "0"


def test_a_command_of_the_application_that_is_called_like_one_of_ours_is_run_behind_flask(render, home):
    (home.root / "current").symlink_to("releases/v1")
    home.program(home.root / "bin/runuser")
    script = render("app", "flask.j2", __flask_root=str(home.root))
    assert home.call(script, "flask", "status")[-2:] == ["flask", "status"]


@pytest.mark.parametrize("typed, expected", [
    (["status"], ["status"]), (["restart"], ["restart"]), (["dbshell"], ["dbshell"]),
    (["logs", "-f"], ["logs", "--also", "/var/log/nginx/microblog.access.log", "--also", "/var/log/nginx/microblog.error.log", "-f"]),
])
def test_the_command_s_own_words_are_for_the_program_of_the_deployment(typed, expected, render, home):
    script = render("app", "flask.j2", __flask_root=str(home.root)).replace("/usr/bin/python3", "python3")
    home.program(home.root / "bin/python3")
    root = str(home.root)
    assert home.call(script, *typed) == ["-I", root + "/deployment/recover.pyz", root, "/var/log/microblog", *expected]


@pytest.mark.parametrize("folder, place", [("", "/var/cache/microblog"), ("instance", "/srv/microblog/shared/instance")])
def test_an_application_s_home_may_be_data(folder, place, render, evaluate):
    programs = render("supervisor", "programs.conf.j2", flask_home=folder, flask_workers=[{"name": "mail", "command": "x"}])
    assert programs.count('HOME="%s"' % place) == 3
    assert " HOME=%s " % place in render("app", "flask.j2", flask_home=folder)
    assert evaluate("app", "__app_env", flask_home=folder).get("HOME") == (place if folder else None)


def test_the_flask_command_fails_without_a_release(render, home):
    assert home.call(render("app", "flask.j2", __flask_root=str(home.root)), "shell") != 0


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_slot_serves_its_release(deployment, render, home):
    (home.root / "slots/green").symlink_to(home.release)
    home.program(home.release / ".venv/bin/gunicorn", "FLASK_SLOT", "PWD")
    script = render("gunicorn", "serve.j2", deployment, __flask_root=str(home.root))
    lines = home.call(script, "green")
    assert lines[:2] == ["green", str(home.release)]
    assert lines[-3:] == ["--bind", "unix:%s/run/green.sock" % home.root, DEPLOYMENTS[deployment]["flask_entrypoint"]]


def test_a_slot_without_a_release_tells_supervisor_so(render, home):
    home.program(home.root / "bin/sleep")
    script = render("gunicorn", "serve.j2", __flask_root=str(home.root))
    assert home.call(script, "blue") == 77


def test_a_slot_without_a_release_is_up_for_longer_than_supervisor_wants(render, home, evaluate):
    home.program(home.root / "bin/sleep")
    script = render("gunicorn", "serve.j2", __flask_root=str(home.root)).replace("exit 77", "exit 0")
    assert int(home.call(script, "blue")[0]) > evaluate("supervisor", "__supervisor_start_seconds")


def test_what_keeps_ending_is_started_ever_later_and_never_given_up(render):
    workers = [{"name": "mail", "command": "no-such-program"}]
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(render("supervisor", "programs.conf.j2", flask_workers=workers))
    assert len(parser.sections()) == 3
    for section in parser.sections():
        assert int(parser[section]["startsecs"]) >= 5 and int(parser[section]["startretries"]) >= 1000000


def gunicorn_settings(text, monkeypatch):
    """What gunicorn would take from its configuration."""
    dotenv = ModuleType("dotenv")
    dotenv.load_dotenv = lambda path: None
    workers = ModuleType("gunicorn.workers")
    workers.gthread = ModuleType("gunicorn.workers.gthread")
    workers.sync = ModuleType("gunicorn.workers.sync")
    workers.sync.SyncWorker = object
    for name, module in (("dotenv", dotenv), ("gunicorn", ModuleType("gunicorn")), (workers.__name__, workers)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("runpy.run_path", lambda path: {"Gate": path})
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    settings = {"__file__": "/srv/blog/slots/blue.settings/gunicorn.conf.py"}
    exec(compile(text, "gunicorn.conf.py", "exec"), settings)
    return settings


def test_gunicorn_gets_its_settings(render, monkeypatch):
    settings = gunicorn_settings(render("gunicorn", "gunicorn.conf.py.j2", "nasty"), monkeypatch)
    assert (settings["workers"], settings["graceful_timeout"], settings["worker_class"]) == (3, 5, "gthread")


@pytest.mark.parametrize("cores, gigabytes, workers", [(1, 1, 2), (4, 8, 5), (4, 0.5, 2), (32, 1, 4), (1, 0.25, 1)])
def test_the_number_of_workers_follows_cores_and_memory(cores, gigabytes, workers, render, monkeypatch):
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": int(gigabytes * 2**30) // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.get)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    settings = gunicorn_settings(render("gunicorn", "gunicorn.conf.py.j2"), monkeypatch)
    assert settings["workers"] == workers


@pytest.mark.parametrize("packages, workers, threads", [
    ([], 3, 16), (["sqlalchemy"], 3, 5), (["simple_websocket", "sqlalchemy"], 3, 100),
    (["simple_websocket", "flask_socketio"], 1, 100),
])
def test_workers_and_threads_suit_what_the_application_is_built_with(packages, workers, threads, render, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**20}.get)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in packages else None)
    settings = gunicorn_settings(render("gunicorn", "gunicorn.conf.py.j2"), monkeypatch)
    assert (settings["workers"], settings["threads"]) == (workers, threads)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_supervisor_reads_a_program_for_each_slot(deployment, render):
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(render("supervisor", "programs.conf.j2", deployment))
    app = DEPLOYMENTS[deployment]["flask_app"]
    assert parser.sections() == ["program:%s-%s" % (app, slot) for slot in ("blue", "green")]
    for slot in ("blue", "green"):
        program = dict(parser["program:%s-%s" % (app, slot)])
        assert program["command"] == "/srv/%s/bounded /srv/%s/serve %s" % (app, app, slot)
        assert (program["exitcodes"], program["autorestart"]) == ("77", "unexpected")
        assert "%" not in "".join(program.values())  # it would expand it


@pytest.mark.parametrize("deployment, written", [
    ("usual", "flask-microblog.slice"), ("nasty", "flask-a\\x2db_c9\\x2dof\\x2dthirty\\x2dletters\\x2dlong\\x2d.slice"),
])
@pytest.mark.parametrize("version, policy", [("249.11-0ubuntu3", False), ("252 (252.39-1~deb12u1)", False), ("257.8", True)])
def test_a_program_runs_as_the_application_s_user_in_its_slice(version, policy, deployment, written, render, home):
    starter = home.root / "bin/systemd-run"
    starter.write_text('#!/bin/sh\n[ "$1" != --version ] || exec echo "systemd %s"\nprintf "%%s\\n" "$@"\n' % version)
    starter.chmod(0o755)
    app = DEPLOYMENTS[deployment]["flask_app"]
    words = home.call(render("supervisor", "bounded.j2", deployment), "/srv/x/serve", "blue")
    own, program = words[:words.index("--")], words[words.index("--") + 1:]
    assert {"--scope", "--slice=" + written, "--property=Before=supervisor.service"} < set(own)
    assert ("--property=OOMPolicy=continue" in own) == policy
    assert program == ["setpriv", "--reuid=" + app, "--regid=" + app, "--init-groups", "--", "/srv/x/serve", "blue"]


def test_an_application_alone_has_all_of_the_memory_and_two_have_half_each(render):
    bounds = configparser.RawConfigParser()
    bounds.read_string(render("app", "slice.j2"))
    assert dict(bounds["Slice"]) == {
        "tasksmax": "1024", "cpuweight": "100", "memorymax": "infinity", "memoryswapmax": "infinity", "devicepolicy": "closed",
    }
    bounds.read_string(render("app", "slice.j2", __flask_neighbours=[SHOP]))
    assert (bounds["Slice"]["memorymax"], bounds["Slice"]["memoryswapmax"]) == ("50%", "50%")
    chosen = render("app", "slice.j2", flask_max_memory="600M", flask_cpu_weight=300, flask_max_tasks=50, flask_devices=["gpio"])
    assert {"MemoryMax=600M", "CPUWeight=300", "TasksMax=50", "DeviceAllow=char-gpiochip rw"} < set(chosen.splitlines())


def test_only_the_devices_that_are_chosen_can_be_opened(render):
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(render("supervisor", "devices.conf.j2", flask_devices=["gpio"]))
    assert dict(parser["Service"]) == {
        "privatedevices": "no", "devicepolicy": "closed", "deviceallow": "char-*gpiomem* rw",  # the last one
    }
    text = render("supervisor", "devices.conf.j2", flask_devices=["gpio", "video"])
    assert "\nDeviceAllow=char-gpiochip rw\n" in text and "\nDeviceAllow=char-video4linux rw\n" in text and "ttyS" not in text
    users = render("app", "sysusers.conf.j2", flask_devices=["serial", "video"]).splitlines()
    assert [line for line in users if line.startswith("m ")] == ["m microblog " + name for name in ("dialout", "render", "video")]
    assert not [line for line in render("app", "sysusers.conf.j2").splitlines() if line.startswith("m ")]


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_devices_are_opened_after_all_of_them_were_closed(deployment):
    """systemd reads the files in the order of their names, and the last word counts."""
    app = DEPLOYMENTS[deployment]["flask_app"]
    (task,) = DataLoader().load_from_file(str(ROLES / "supervisor/tasks/service.yml"))
    names = [file["dest"] for file in task["selfhost.flask.config_files"]["files"]]
    names = [name.rpartition("/")[2].replace("{{ flask_app }}", app) for name in names]
    assert sorted(names)[-2:] == ["selfhost.conf", "selfhost_%s.devices.conf" % app]


def test_supervisor_waits_longer_than_gunicorn_does(render):
    assert "\nstopwaitsecs=15\n" in render("supervisor", "programs.conf.j2", "nasty")


def test_the_database_server_reads_its_section(render):
    parser = configparser.RawConfigParser(allow_no_value=True)
    parser.read_string(render("mysql", "selfhost.cnf.j2"))
    section = dict(parser["mysqld"])
    assert (section["bind-address"], section["character-set-server"]) == ("127.0.0.1", "utf8mb4")


@pytest.mark.parametrize("version, setting", [("12", None), ("13", "OFF")])
def test_a_database_server_is_told_only_what_it_does_not_do_itself(version, setting, render):
    facts = {"distribution": "Debian", "distribution_major_version": version}
    parser = configparser.RawConfigParser(allow_no_value=True)
    parser.read_string(render("mysql", "selfhost.cnf.j2", ansible_facts=facts))
    assert parser["mysqld"].get("loose-innodb-snapshot-isolation") == setting


@pytest.mark.parametrize("user, policy", [("microblog", "on_create"), ("wiki", "always")])
def test_the_role_leaves_the_password_of_the_application_to_its_deployment(user, policy, evaluate):
    tasks = yaml.safe_load((ROLES / "mysql/tasks/database.yml").read_text())
    text = next(task["community.mysql.mysql_user"]["update_password"] for task in tasks if "user" in task["name"])
    assert evaluate("mysql", "policy", policy=trust_as_template(text), mysql_user=user) == policy


@pytest.mark.skipif(not installed("systemd-sysusers"), reason="no systemd")
@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_systemd_reads_the_user(deployment, render, tmp_path):
    (tmp_path / "app.conf").write_text(render("app", "sysusers.conf.j2", deployment))
    run(installed("systemd-sysusers"), "--dry-run", "--root", tmp_path, tmp_path / "app.conf")


@pytest.mark.needs_root
@pytest.mark.skipif(not installed("systemd-tmpfiles"), reason="no systemd")
@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_systemd_makes_the_folders(deployment, render, tmp_path):
    app = DEPLOYMENTS[deployment]["flask_app"]
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:\n%s:x:900:900::/:\n" % app)
    (tmp_path / "etc/group").write_text("root:x:0:\nadm:x:4:\nwww-data:x:33:\n%s:x:900:\n" % app)
    (tmp_path / "app.conf").write_text(render("app", "tmpfiles.conf.j2", deployment))
    run(installed("systemd-tmpfiles"), "--create", "--root", tmp_path, tmp_path / "app.conf")
    expected = {
        "": (0o755, 0, 0),
        "/releases": (0o755, 0, 0),
        "/shared": (0o750, 0, 900),
        "/shared/instance": (0o750, 900, 900),
        "/run": (0o750, 900, 33),
    }
    found = {name: (tmp_path / "srv" / (app + name)).stat() for name in expected}
    assert {name: (stat.S_IMODE(at.st_mode), at.st_uid, at.st_gid) for name, at in found.items()} == expected
    assert not (tmp_path / "srv" / app / "shared/app").exists()


def directives(text):
    """A configuration of `name value` lines."""
    return dict(line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#"))


RELEASES = [("Debian", "12"), ("Raspbian", "12"), ("Debian", "13"), ("Ubuntu", "22"), ("Ubuntu", "24"), ("Debian", "n/a")]


@pytest.mark.parametrize("name, release", RELEASES)
def test_sshd_refuses_passwords_and_root(name, release, render, tmp_path):
    facts = {"distribution": name, "distribution_major_version": release}
    text = render("hardening", "sshd.conf.j2", ansible_facts=facts)
    found = directives(text)
    assert (found["PermitRootLogin"], found["PasswordAuthentication"]) == ("no", "no")
    assert ("mlkem768" in found["KexAlgorithms"]) == (release in ("13", "n/a"))
    assert ("RequiredRSASize" in found) == (release != "22")
    if installed("sshd") and release == "12":
        (tmp_path / "sshd.conf").write_text(text)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key")
        run(installed("sshd"), "-t", "-f", tmp_path / "sshd.conf", "-h", tmp_path / "key")


def test_key_exchanges_are_in_their_order_at_each_run(evaluate):
    every = evaluate("hardening", "__hardening_kex_before_quantum")
    assert evaluate("hardening", "__hardening_sshd_policies['ubuntu 22']['KexAlgorithms']") == every[1:]


def test_a_users_own_settings_of_sshd_win(render):
    settings = {"allowtcpforwarding": "local", "UseDNS": True, "Banner": None}
    text = render("hardening", "sshd.conf.j2", hardening_ssh_settings=settings, hardening_ssh_port=2222)
    found = directives(text)
    assert (found["allowtcpforwarding"], found["UseDNS"], found["Port"]) == ("local", "yes", "2222")
    assert "AllowTcpForwarding" not in found and "Banner" not in found


def test_the_main_file_repeats_the_drop_in_but_for_what_adds_up(render):
    settings = {"x11forwarding": "yes", "MaxAuthTries": None}
    text = render("hardening", "sshd_main.conf.j2", hardening_ssh_settings=settings, hardening_ssh_port=2222)
    found = directives(text)
    assert (found["x11forwarding"], found["PermitRootLogin"]) == ("yes", "no")
    assert not {"X11Forwarding", "MaxAuthTries", "Port", "HostKey", "AllowGroups"} & set(found)


def test_without_groups_every_user_with_a_key_gets_in(render):
    assert "AllowGroups" not in render("hardening", "sshd.conf.j2", hardening_ssh_groups=[])
    assert "\nAllowGroups sudo ops\n" in render("hardening", "sshd.conf.j2", hardening_ssh_groups=["sudo", "ops"])


def test_sudo_lets_each_administrator(render, tmp_path):
    text = render("hardening", "sudoers.j2", "nasty")
    assert set(directives(text)) == {"ana", "bob", "Defaults:ana,bob"}
    if installed("visudo"):
        (tmp_path / "sudoers").write_text(text)
        run(installed("visudo"), "-cf", tmp_path / "sudoers")


def test_postfix_sends_and_does_not_listen(render):
    parser = configparser.RawConfigParser(delimiters="=")
    parser.read_string("[main]\n" + render("postfix", "main.cf.j2"))
    main = dict(parser["main"])
    assert (main["inet_interfaces"], main["relayhost"]) == ("loopback-only", "")
    assert (main["smtp_tls_security_level"], "smtp_sasl_auth_enable" in main) == ("may", False)


def test_postfix_logs_in_at_a_smarthost_only_through_tls(render):
    parser = configparser.RawConfigParser(delimiters="=")
    parser.read_string("[main]\n" + render("postfix", "main.cf.j2", "nasty"))
    main = dict(parser["main"])
    assert (main["relayhost"], main["smtp_tls_security_level"]) == ("[smtp.example.com]:587", "encrypt")
    login = render("postfix", "smarthost.j2", "nasty").splitlines()[-1]
    assert login.split(None, 1) == ["[smtp.example.com]:587", "ana@example.com:p%4$#'\"@/ :\\w"]


class Page(HTMLParser):
    """A page's elements that are open, and all of its text and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.names, self.said, self.loads = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said += data


FOUND = dict(
    id="slot-crashing", severity="critical", where="inside", subject="", what="says: <script>alert(`1`)</script> {{ 7 * 7 }}",
    remedy="Run `sudo true <x>`, then look.",
)


def test_the_doctors_page_is_whole_and_shows_what_a_log_says_as_text(render):
    report = dict(
        title="blog <b>", time="now", reached=False, counts="1 critical", findings=[FOUND], facts={},
        checks=[dict(title="Disks", found=[]), dict(title="Names", found=["x"])],
    )
    well = dict(report, title="shop", findings=[], facts=dict(release="v1-a"), reached=True)
    page = Page(render("doctor", PAGE, __doctor_reports=[report, well]))
    assert page.open == [] and page.loads == [] and not {"script", "b>", "x"} & set(page.names)
    assert "says: <script>alert(`1`)</script> {{ 7 * 7 }}" in page.said and "sudo true <x>" in page.said
    assert page.names.count("code") == 1 and page.names.count("article") == 1 and page.names.count("section") == 2
    assert "seen from outside alone" in page.said and "serves v1-a" in page.said
