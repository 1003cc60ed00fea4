# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site as the role writes it, in a folder and at ports of its own, for a real nginx to read and to serve."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from deployments import DEPLOYMENTS, ROLES, variables_of

FILES = ("__nginx_shared_files", "__nginx_site_files", "__nginx_page_files")
TEMPORARY = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
MAKE_KEY = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class NginxSite:
    """What the role's tasks write for a deployment, below another root."""

    def __init__(self, program: Path, root: Path, deployment: str, given: dict) -> None:
        self.program, self.root = program, root
        self.app = DEPLOYMENTS[deployment]["flask_app"]
        self.ports = {"80": free_port(), "443": free_port()}
        facts = {"distribution": "Debian", "distribution_major_version": "13" if self.version() >= (1, 25, 1) else "12"}
        host = dict(ansible_facts=facts, ansible_host="127.0.0.1", inventory_dir=None)
        self.given = {**host, "__flask_root": str(root / "srv"), **given}
        self.write(deployment)

    def version(self) -> tuple:
        said = subprocess.run([self.program, "-v"], capture_output=True, text=True, check=True).stderr
        return tuple(map(int, said.rpartition("/")[2].split()[0].split(".")))

    def write(self, deployment: str) -> None:
        """Each file, the certificates, and what Debian's packages bring."""
        for folder in ("var/log/nginx", "etc/ssl/selfhost", "etc/nginx/conf.d", "etc/nginx/sites-enabled", "run"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        temporary = ["%s_temp_path %s/run/%s;\n" % (name, self.root, name) for name in TEMPORARY]
        (self.root / "etc/nginx/mime.types").write_text("types { text/css css; }\n" + "".join(temporary))
        for name in (self.app, "default"):
            stem = self.root / "etc/ssl/selfhost" / name
            keys = ["-keyout", "%s.key" % stem, "-out", "%s.pem" % stem]
            subprocess.run([*MAKE_KEY, *keys], check=True, capture_output=True)
        for file in self.files(deployment):
            self.place(file)

    def files(self, deployment: str) -> list:
        tasks = DataLoader().load_from_file(str(ROLES / "nginx/tasks/site.yml"), trusted_as_template=True)
        variables = variables_of("nginx", deployment, **self.given)
        variables["ansible_search_path"] = [str(ROLES / "nginx")]
        templar = Templar(DataLoader(), variables)
        files = [file for name in FILES for file in templar.template(trust_as_template("{{ %s }}" % name))]
        return files + templar.template(tasks[0]["selfhost.flask.config_files"]["files"])

    def place(self, file: dict) -> None:
        target = self.root / file["dest"].lstrip("/")
        if "content" not in file or file.get("state") == "absent":
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.moved(file["content"]))
        if target.parent.name == "sites-available":
            (self.root / "etc/nginx/sites-enabled" / target.name).symlink_to(target)

    def moved(self, text: str) -> str:
        """Without brotli, which is a module of its own."""
        text = re.sub(r"(?<=[ ;])/(etc|var|run)/", r"%s/\1/" % self.root, text)
        text = re.sub(r"(listen (?:\[::\]:)?)(80|443)\b", lambda found: found[1] + str(self.ports[found[2]]), text)
        text = re.sub(r"(?m)^include \S*modules-enabled.*\n", "", text)
        return re.sub(r"(?m)^ *brotli.*\n", "", text)

    def ask(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs nginx with this configuration."""
        folder = self.root / "etc/nginx"
        argv = [self.program, "-q", "-p", folder, "-c", folder / "nginx.conf", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)
