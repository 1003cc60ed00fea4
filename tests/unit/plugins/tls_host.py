# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's places for certificates, in a folder, with a certbot and a proxy that only pretend."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
import time

from ansible_collections.selfhost.flask.plugins.module_utils.certificate import store as certificate_store
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import covers
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.keeper import Keeper, Places

DAY = 24 * 3600
DIRECTORY = "https://acme.example.com/directory"
CERTBOT = """#!/bin/sh
# Keeps its arguments; issues for the domains that are asked for, or fails as it is told.
printf '%s\\n' "$@" >"$FAKE/asked"
echo "$REQUESTS_CA_BUNDLE" >"$FAKE/bundle"
if [ -f "$FAKE/problem" ]; then cat "$FAKE/problem"; exit 1; fi
names=
while [ $# -gt 0 ]; do
    case $1 in
    --domain) names="$names${names:+,}DNS:$2" ;;
    --server) server=$2 ;;
    --cert-name) lineage=$2 ;;
    --config-dir) folder=$2 ;;
    esac
    shift
done
mkdir -p "$folder/live/$lineage" "$folder/renewal"
cat "$FAKE/ca.pem" >"$FAKE/chain"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=site \\
    -keyout "$folder/live/$lineage/privkey.pem" -out "$FAKE/request" 2>/dev/null
if [ -f "$FAKE/added" ]; then names="$names,DNS:$(cat "$FAKE/added")"; fi
printf 'subjectAltName=%s\\n' "$names" >"$FAKE/extensions"
openssl x509 -req -in "$FAKE/request" -CA "$FAKE/ca.pem" -CAkey "$FAKE/ca.key" -CAcreateserial \\
    -days "$(cat "$FAKE/days")" -extfile "$FAKE/extensions" -out "$FAKE/leaf" 2>/dev/null
cat "$FAKE/leaf" "$FAKE/chain" >"$folder/live/$lineage/fullchain.pem"
[ -f "$folder/renewal/$lineage.conf" ] ||
    printf '# renew_before_expiry = 30 days\\nversion = 2.1.0\\n[renewalparams]\\nserver = %s\\n' "$server" \\
        >"$folder/renewal/$lineage.conf"
sed -i "s|^server = .*|server = $server|" "$folder/renewal/$lineage.conf"
"""
SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$FAKE/systemctl"
[ ! -f "$FAKE/refusal" ] || { cat "$FAKE/refusal" >&2; exit 1; }
"""


class Server(threading.Thread):
    """A proxy: it goes on with the certificate that it has loaded, until it is told to load another.

    It knows no names but its sites'.
    """

    def __init__(self, store, sites):
        super().__init__(daemon=True)
        self.store = store
        self.sites = sites
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self.names = []
        self.load()

    def load(self):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.store.links["certificate.pem"], self.store.links["key.pem"])
        self.context.sni_callback = self.greet

    def greet(self, connection, name, context):
        self.names.append(name)
        known = name is None or any(covers(site, name) for site in self.sites)
        return None if known else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def run(self):
        while True:
            try:
                plain, dummy = self.socket.accept()
            except OSError:
                return
            try:
                self.context.wrap_socket(plain, server_side=True).close()
            except OSError:
                plain.close()


class TlsHost:
    """A host on which the program can do its work."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.root = folder / "srv/blog"
        self.places = Places(str(folder / "ssl"), str(folder / "letsencrypt"), str(folder / "state"))
        self.fake = folder / "fake"
        self.time = None
        self.servers = []
        self.monkeypatch = monkeypatch
        (self.root / "deployment").mkdir(parents=True)
        (self.fake / "bin").mkdir(parents=True)
        self.program("certbot", CERTBOT)
        self.program("systemctl", SYSTEMCTL)
        monkeypatch.setenv("FAKE", str(self.fake))
        monkeypatch.setenv("PATH", "%s:%s" % (self.fake / "bin", os.environ["PATH"]))
        (self.fake / "days").write_text("90")
        self.issue_ca()

    def program(self, name, text):
        path = self.fake / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def issue_ca(self):
        subprocess.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=An authority", "-keyout", self.fake / "ca.key", "-out", self.fake / "ca.pem",
        ], check=True, capture_output=True)

    def settings(self, **given):
        acme = {"server": DIRECTORY, "email": "", "ca": False, "dns": False, "check": False, **given.pop("acme", {})}
        about = {"name": "blog", "origin": "self_signed", "names": ["blog.example.com"], "days": 825, "services": []}
        return dict(about, acme=acme, **given)

    def keeper(self, **given):
        keeper = Keeper(str(self.root), self.settings(**given), self.places, lambda: self.time or time.time())
        for name in ("acme", "tls"):
            os.makedirs(os.path.join(self.places.state, name), exist_ok=True)
        return keeper

    def serve(self, keeper):
        """The proxy runs, and `systemctl reload` is what makes it load what is installed."""
        server = Server(keeper.store, keeper.settings["names"])
        server.start()
        self.servers.append(server)
        run = certificate_store.run

        def reloading(argv):
            run(argv)
            server.load()

        self.monkeypatch.setattr(certificate_store, "run", reloading)
        keeper.proxy.address = server.address
        return server

    def asked(self):
        """The arguments of the last certbot; nothing where there was none."""
        path = self.fake / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def forget(self):
        (self.fake / "asked").unlink()

    def reloads(self):
        path = self.fake / "systemctl"
        return path.read_text().splitlines() if path.exists() else []

    def report(self):
        return json.loads((self.folder / "state/tls/blog.json").read_text())

    def close(self):
        for server in self.servers:
            server.socket.shutdown(socket.SHUT_RDWR)  # to close it would leave the thread waiting at its number
            server.join()
            server.socket.close()
