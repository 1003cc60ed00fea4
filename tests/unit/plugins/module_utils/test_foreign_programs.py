# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and sites that somebody has set up, in the forms that the tutorials have."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.host import foreign_units
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import ForeignProgram, Was, split_pairs
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_units import ForeignUnits, read_unit
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_uwsgi import read_options
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor_foreign import read_programs
from ansible_collections.selfhost.flask.plugins.module_utils.proxy import nginx_foreign
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.nginx_foreign import NginxForeignSites, leads_to

MEGA_TUTORIAL = """[program:microblog]
command=/home/ubuntu/microblog/venv/bin/gunicorn -b localhost:8000 -w 4 microblog:app
directory=/home/ubuntu/microblog
user=ubuntu
autostart=true
autorestart=true
stopasgroup=true
killasgroup=true
"""
TASKS = """[program:microblog-tasks]
command=/home/ubuntu/microblog/venv/bin/rq worker microblog-tasks
numprocs=1 ; one is enough
directory=/home/ubuntu/microblog
user=ubuntu
process_name=%(program_name)s-%(process_num)s
environment=REDIS_URL="redis://:p%%40ss@localhost/0",LANG='C.UTF-8',EMPTY=
"""
DIGITALOCEAN = """[Unit]
Description=Gunicorn instance to serve myproject
After=network.target

[Service]
User=sammy
Group=www-data
WorkingDirectory=/home/sammy/myproject
Environment="PATH=/home/sammy/myproject/myprojectenv/bin" "NAME=My site"
EnvironmentFile=-/etc/default/myproject
# ExecStart=/bin/false
ExecStart=/home/sammy/myproject/myprojectenv/bin/gunicorn --workers 3 \\
    --bind unix:myproject.sock -m 007 wsgi:app

[Install]
WantedBy=multi-user.target
"""
SITE = """server {
    listen 443 ssl;
    server_name blog.example.com www.blog.example.com;
    ssl_certificate /etc/letsencrypt/live/blog.example.com/fullchain.pem; # managed by Certbot
    ssl_certificate_key /etc/letsencrypt/live/blog.example.com/privkey.pem;
    location / { proxy_pass http://localhost:8000; }
}
"""


def test_the_mega_tutorials_program():
    (program,) = read_programs("/etc/supervisor/conf.d/microblog.conf", MEGA_TUTORIAL)
    assert (program.name, program.folder, program.user) == ("microblog", "/home/ubuntu/microblog", "ubuntu")
    assert program.is_server() and program.binds() == ["8000"]


def test_a_worker_is_no_server_and_its_environment_is_read_as_its_manager_does():
    (program,) = read_programs("/etc/supervisor/conf.d/tasks.conf", TASKS)
    assert not program.is_server() and program.binds() == []
    assert program.environment == {"REDIS_URL": "redis://:p%40ss@localhost/0", "LANG": "C.UTF-8", "EMPTY": ""}


def test_what_supervisor_alone_knows_is_not_taken_for_empty():
    text = MEGA_TUTORIAL + "environment=SECRET_KEY=\"%(ENV_KEY)s\",A='1',NAME=%(program_name)s\n"
    (program,) = read_programs("/x.conf", text)
    assert program.environment == {"A": "1", "NAME": "microblog"} and program.unresolved == ("SECRET_KEY",)
    (program,) = read_programs("/x.conf", text.replace("directory=/home/ubuntu", "directory=%(ENV_HOME)s"))
    assert program.folder == "%(ENV_HOME)s/microblog"


def test_a_file_has_several_programs_and_groups_are_none():
    text = MEGA_TUTORIAL + TASKS + "[group:all]\nprograms=microblog,microblog-tasks\n"
    assert [one.name for one in read_programs("/x.conf", text)] == ["microblog", "microblog-tasks"]


def test_a_file_that_cannot_be_read_has_no_programs():
    assert read_programs("/x.conf", "command=without a section\n") == []


@pytest.mark.parametrize("command, server, binds", [
    ("/srv/x/venv/bin/gunicorn --bind=0.0.0.0:5000 wsgi:app", True, ["5000"]),
    ("/srv/x/venv/bin/gunicorn --bind unix:x.sock wsgi", True, ["/srv/x/x.sock"]),
    ("/srv/x/venv/bin/gunicorn --bind unix:/run/x.sock wsgi", True, ["/run/x.sock"]),
    ("/usr/bin/python3 -m flask run --host 0.0.0.0", True, ["5000"]),
    ("/srv/x/venv/bin/flask --app x run", True, ["5000"]),
    ("/srv/x/venv/bin/waitress-serve --listen=127.0.0.1:8080 x:app", True, ["8080"]),
    ("/srv/x/venv/bin/uwsgi --http 127.0.0.1:9090 --module x:app", True, ["9090"]),
    ("/srv/x/venv/bin/flask send-reminders", False, []),
    ("/srv/x/venv/bin/celery -A x worker", False, []),
    ("/usr/bin/python3 /opt/gunicornish/run.py", False, []),
])
def test_what_answers_requests_and_where(command, server, binds):
    (program,) = read_programs("/x.conf", "[program:x]\ndirectory=/srv/x\ncommand=%s\n" % command)
    assert (program.is_server(), program.binds()) == (server, binds)


def test_what_a_user_writes_for_uwsgi_takes_neither_long_nor_much():
    lines = ["v0 = heron", *("v%d = %%(v%d)%%(v%d)" % (one, one - 1, one - 1) for one in range(1, 40))]
    options = read_options({"/x.ini": "[uwsgi]\n%s\nsocket = %%(v1).sock\nenv = A=%%(v39)\n" % "\n".join(lines)})
    assert options.binds == ("heronheron.sock",) and len(options.environment["A"]) < 1 << 17
    long = "a=" * 3000
    assert read_options({"/x.ini": "[uwsgi]\ncron2 = %s\nname = x%sy\n" % (long, " " * 100000)}).beside == ((long, "?"),)
    options = read_options({"/x.ini": "[uwsgi]\ncron2 = minute=-10,unique=1 flask mails\nenv = KEY=%s\n" % ("x" * 70000)})
    assert options.beside == (("flask mails", "?"),) and len(options.environment["KEY"]) == 70000


@pytest.mark.parametrize("command, server", [
    ("systemctl restart gunicorn", False),
    ("/usr/bin/systemctl is-active gunicorn || /usr/bin/systemctl start gunicorn", False),
    ("pgrep -f gunicorn || supervisorctl restart blog", False),
    ("bash -c 'service uwsgi reload'", False),
    ("pgrep gunicorn || /home/ana/blog/venv/bin/gunicorn blog:app", True),
])
def test_a_job_that_looks_after_a_server_is_none(command, server):
    assert ForeignProgram("x", "cron", "/etc/cron.d/x", command, schedule="0 4 * * *").is_server() == server


def test_an_ini_file_says_where_uwsgi_listens(tmp_path):
    (tmp_path / "x.ini").write_text("[uwsgi]\nmodule = wsgi:app\nsocket = x.sock\n")
    (program,) = read_programs("/x.conf", "[program:x]\ndirectory=%s\ncommand=/v/bin/uwsgi --ini x.ini\n" % tmp_path)
    assert program.completed().binds() == [str(tmp_path / "x.sock")]


def test_digitaloceans_unit(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_units, "UNITS", str(tmp_path) + "/")
    (tmp_path / "myproject.service").write_text(DIGITALOCEAN)
    (tmp_path / "myproject.socket").write_text("[Socket]\nListenStream=/run/x.sock\n")
    (tmp_path / "alias.service").symlink_to("myproject.service")
    (program,) = ForeignUnits().programs()
    assert (program.name, program.folder, program.user) == ("myproject.service", "/home/sammy/myproject", "sammy")
    assert program.is_server() and program.binds() == ["/run/x.sock", "/home/sammy/myproject/myproject.sock"]
    assert program.environment == {"PATH": "/home/sammy/myproject/myprojectenv/bin", "NAME": "My site"}
    assert program.environment_files == ("/etc/default/myproject",)
    assert program.listens == ("/run/x.sock",)
    assert ForeignUnits().units(program) == ["myproject.service", "myproject.socket"]


@pytest.fixture
def units(tmp_path, monkeypatch):
    """A server, and a job of the same folder that a timer by another name starts; what systemctl is told."""
    monkeypatch.setattr(foreign_units, "UNITS", str(tmp_path) + "/")
    (tmp_path / "web.service").write_text("[Service]\nWorkingDirectory=/x\nExecStart=/x/venv/bin/gunicorn x\n")
    (tmp_path / "web.socket").write_text("[Socket]\nListenStream=/run/x.sock\n")
    (tmp_path / "mails.service").write_text("[Service]\nType=oneshot\nWorkingDirectory=/x\nExecStart=/x/venv/bin/flask mails\n")
    (tmp_path / "hourly.timer").write_text("[Timer]\nOnCalendar=hourly\nUnit=mails.service\n")
    (tmp_path / "web.path").write_text("[Path]\nPathChanged=/y\nUnit=other.service\n")
    state = {"active": {"web.service", "hourly.timer", "mails.service"}, "enabled": {"web.socket", "hourly.timer"}}
    told = []

    def run(argv):
        verb, name = argv[1], argv[-1]
        if not verb.startswith("is-"):
            told.append(" ".join(argv[1:]))
            return b""
        return ("%s\n" % (verb[3:] if name in state[verb[3:]] else "no")).encode()

    monkeypatch.setattr(foreign_units, "run", run)
    return {one.name: one for one in ForeignUnits().programs()}, state, told


def test_what_would_start_a_stopped_service_is_stopped_with_it(units):
    programs, dummy, told = units
    for program in programs.values():
        ForeignUnits().stop(program, {})
    assert told == ["disable --now hourly.timer mails.service", "disable --now web.socket web.service"]
    assert [path.rpartition("/")[2] for path in ForeignUnits().files(programs["mails.service"])] == ["mails.service", "hourly.timer"]


def test_each_unit_is_started_again_as_it_was_and_no_job_runs_for_that(units):
    programs, state, told = units
    for program in programs.values():
        assert ForeignUnits().is_up(program)
        ForeignUnits().start(program, {}, Was(True, ForeignUnits().parts(program)))
    assert told == ["enable hourly.timer", "start hourly.timer", "enable web.socket", "start web.service"]
    state["active"].discard("hourly.timer")
    assert not ForeignUnits().is_up(programs["mails.service"])


def test_a_template_stands_in_the_way(units):
    program = units[0]["web.service"]._replace(name="web@.service")
    assert "Write a unit of its own for each" in ForeignUnits().obstacles(program)[0]
    assert ForeignUnits().obstacles(units[0]["web.service"]) == []


def test_a_drop_in_wins_over_the_unit(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_units, "UNITS", str(tmp_path) + "/")
    (tmp_path / "x.service").write_text(DIGITALOCEAN)
    (tmp_path / "x.service.d").mkdir()
    (tmp_path / "x.service.d/own.conf").write_text("[Service]\nExecStart=\nExecStart=/v/bin/gunicorn -b :9000 x\nUser=ana\n")
    (program,) = ForeignUnits().programs()
    assert (program.user, program.binds()) == ("ana", ["9000"])


def test_an_empty_value_forgets_those_before_it():
    assert read_unit("[Service]\nA=1\nA=2\nB=1\nA=\n") == {"A": [], "B": ["1"]}


def test_variables_without_a_closed_quote_are_none():
    assert split_pairs('A="1') == {}


def test_a_site_is_found_by_what_it_leads_to(tmp_path, monkeypatch):
    monkeypatch.setattr(nginx_foreign, "SITES", (str(tmp_path / "*"),))
    (tmp_path / "microblog").write_text(SITE)
    (tmp_path / "other").write_text(SITE.replace("8000", "80001").replace("blog", "shop"))
    (site,) = NginxForeignSites().find(["8000"])
    assert site.names == ("blog.example.com", "www.blog.example.com")
    assert site.certificates[0] == "/etc/letsencrypt/live/blog.example.com/fullchain.pem"


@pytest.mark.parametrize("text, found", [
    ("proxy_pass http://unix:/home/sammy/x/x.sock;", True),
    ("uwsgi_pass unix:/home/sammy/x/x.sock;", True),
    ("alias /home/sammy/x/static;", False),
    ("proxy_pass http://unix:/home/sammy/x.socket;", False),
])
def test_a_site_leads_to_a_socket(text, found):
    assert leads_to(text, ["/home/sammy/x/x.sock"]) is found


def test_sites_that_have_files_of_a_folder_alone_are_somebody_elses(tmp_path, monkeypatch):
    monkeypatch.setattr(nginx_foreign, "SITES", (str(tmp_path / "*"),))
    (tmp_path / "static").write_text("server {\n  server_name s.example.com;\n  root /var/www/blog;\n}\n")
    (tmp_path / "php").write_text("server {\n  # root /var/www;\n  root /var/www2;\n}\n")
    sites = NginxForeignSites()
    assert sites.find(["8000"]) == [] and sites.with_files("/var/www") == [str(tmp_path / "static")]


OWN = "server { listen 443 ssl; server_name b.example.com www.b.example.com; location / { proxy_pass http://127.0.0.1:8000; } }\n"
TUTORIAL = "server { listen 80; server_name _; location / { return 301 https://$host$request_uri; } }\n" + OWN


@pytest.mark.parametrize("text, others", [
    (OWN, []), (TUTORIAL, []),
    (OWN + "server { server_name b.example.com; root /var/www/acme; }", []),
    (OWN + "server { if ($host = b.example.com) { return 301 https://$host$request_uri; } listen 80; server_name b.example.com; "
     "return 404; }", []),
    (OWN + "server { server_name old.example.com; rewrite ^ https://b.example.com${request_uri} permanent; }", []),
    (OWN + "# server { server_name shop.example.com; root /shop; }\n", []),
    ("upstream app { server localhost:8000; }\n" + OWN.replace("127.0.0.1:8000", "app"), []),
    (OWN + "server { server_name shop.example.com; location / { proxy_pass http://127.0.0.1:9000; } }", ["shop.example.com"]),
    (OWN + "server { server_name shop.example.com; root /var/www/shop; }", ["shop.example.com"]),
    (OWN + "server { server_name shop.example.com; include snippets/php.conf; }", ["shop.example.com"]),
    (OWN + "server { listen 80 default_server; root /var/www/html; }", [nginx_foreign.NO_NAME]),
    (OWN + "server { server_name shop.example.com; return 301 https://x; location /a { alias /a; } }", ["shop.example.com"]),
    (OWN.replace("location /", "location /shop { proxy_pass http://127.0.0.1:9000/; } location /"), ["http://127.0.0.1:9000/"]),
    (OWN.replace("location /", "add_header X \"a } b\"; location /php { fastcgi_pass unix:/run/php.sock; } location /"),
     ["unix:/run/php.sock"]),
    ("upstream app { server localhost:8000; }\n", [nginx_foreign.NO_SERVER]),
])
def test_what_else_a_file_leads_to_is_found(text, others, tmp_path, monkeypatch):
    monkeypatch.setattr(nginx_foreign, "SITES", (str(tmp_path / "*"),))
    (tmp_path / "blog").write_text(text)
    (site,) = NginxForeignSites().find(["8000"])
    assert list(site.others) == others


UWSGI = """[other]
socket = /run/other.sock
[uwsgi]
# socket = /run/none.sock
base = %d
module = wsgi:app
socket = %(base)run/%n.sock
http-socket = 127.0.0.1:9090
uid = ana
chdir = src
env = SECRET_KEY=a=b
env = NAME=The site
attach-daemon = venv/bin/celery -A blog worker
smart-attach-daemon2 = cmd=redis-server /x.conf,pidfile=/x.pid
mule = mule.py
cron2 = minute=-5,unique=1 flask often
cron = 30 4 -1 -1 -1 flask send-mails
"""


def test_what_a_file_says_to_uwsgi_is_known(tmp_path):
    (tmp_path / "blog.ini").write_text(UWSGI)
    text = "[program:x]\ndirectory=%s\nuser=%s\ncommand=/v/bin/uwsgi --ini blog.ini\nenvironment=NAME=x,A=1\n"
    (program,) = read_programs("/x.conf", text % (tmp_path, "root"))
    found = program.completed()
    assert found.binds() == [str(tmp_path / "run/blog.sock"), "9090"]
    assert (found.folder, found.user) == (str(tmp_path / "src"), "ana")
    assert found.environment == {"A": "1", "SECRET_KEY": "a=b", "NAME": "The site"}
    assert found.options.beside == (
        ("venv/bin/celery -A blog worker", ""), ("redis-server /x.conf", ""), ("mule.py", ""), ("flask often", "?"),
        ("flask send-mails", "30 4 * * *"),
    )


def test_only_who_is_started_as_root_may_become_another_user(tmp_path):
    (tmp_path / "blog.ini").write_text("[uwsgi]\nuid = root\n")
    about = dict(name="x", manager="systemd", file="/x", command="/v/bin/uwsgi blog.ini", folder=str(tmp_path))
    assert ForeignProgram(**about, user="nobody").completed().user == "nobody"


@pytest.mark.parametrize("command, folder, is_part", [
    ("/usr/bin/python3 x.py", "{0}/blog", True),
    ("/usr/bin/python3 x.py", "{0}/blog/tasks", True),
    ("{0}/blog/venv/bin/rq worker", "", True),
    ("/bin/sh -c '{0}/blog/work.sh >/dev/null'", "/", True),
    ("/usr/bin/python3 {0}/blog/work.py", "", True),
    ("/usr/bin/restic backup {0}/blog/uploads", "", False),
    ("/usr/bin/tar czf /x.tgz {0}/blog", "", False),
    ("{0}/blog2/venv/bin/rq worker", "{0}/blog2", False),
    ("{0}/venv/bin/rq worker", "{0}", True),
    ("/usr/bin/python3 other.py", "{0}", False),
])
def test_what_is_a_part_of_an_application(tmp_path, command, folder, is_part):
    for name in ("venv", "blog/venv", "blog2/venv"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "pyvenv.cfg").touch()
        (tmp_path / name / "bin/rq").touch(mode=0o755)
    (tmp_path / "blog/work.sh").touch()
    (tmp_path / "blog/work.py").touch()
    (tmp_path / "blog/uploads").mkdir()
    server = ForeignProgram("blog", "systemd", "/x", "%s/venv/bin/gunicorn x" % tmp_path, str(tmp_path / "blog"))
    worker = ForeignProgram("tasks", "systemd", "/y", command.format(tmp_path), folder.format(tmp_path))
    assert worker.belongs_to(server) == is_part


@pytest.mark.parametrize("timer, schedule", [
    ("OnCalendar=Mon 07:30", "Mon 07:30"), ("OnBootSec=5min", "?"), (None, "?"),
])
def test_when_a_unit_runs(tmp_path, monkeypatch, timer, schedule):
    monkeypatch.setattr(foreign_units, "UNITS", str(tmp_path) + "/")
    (tmp_path / "mails.service").write_text("[Service]\nType=oneshot\nExecStart=/x/venv/bin/flask mails\n")
    if timer:
        (tmp_path / "mails.timer").write_text("[Timer]\n%s\n" % timer)
    assert [one.schedule for one in ForeignUnits().programs()] == [schedule]
