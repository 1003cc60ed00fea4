"""What is done to a host, what the doctor has to call it, and how it is undone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from machine import APP, ROOT

CERTIFICATE = f"/etc/ssl/selfhost/{APP}"
KEPT = "/root/doctor"  # certificates to try, and what is put back
RELOAD = "systemctl reload nginx"
OWN = f"{ROOT}/deployment"
LOG = f"/var/log/{APP}"
BACKUPS = f"/var/backups/{APP}"
SLOT = f"$(basename $(readlink {ROOT}/run/live.sock) .sock)"
FORGET = "journalctl --quiet --rotate; journalctl --quiet --vacuum-files=1"
SQL = f"mysql {APP} -e"

NGINX_BACK = f"rm -rf /etc/nginx && cp -a {KEPT}/nginx /etc/nginx && systemctl start nginx && {RELOAD}"
CERTIFICATE_BACK = f"cp -a {KEPT}/served/* /etc/ssl/selfhost/ && {RELOAD}"
RELEASE = f"$(readlink -f {ROOT}/current)"
PROTOCOLS = "sed -i '/ssl_ciphers/d; s/ssl_protocols .*/ssl_protocols {}; ssl_ciphers ALL:@SECLEVEL=0;/' "
CONFIGURED = "$(grep -rl ssl_protocols /etc/nginx --include=* | xargs readlink -f | sort -u)"

# A repository that has a newer version of an installed package, as a distribution's security updates say it.
UPDATES, SOURCE = "/var/lib/updates", "/etc/apt/sources.list.d/updates.list"
UPDATE = f"""mkdir {UPDATES} && cd {UPDATES}
printf '%s\\n' 'Package: hostname' 'Version: 99' "Architecture: $(dpkg --print-architecture)" 'Filename: ./h.deb' 'Size: 1' \\
    "SHA256: $(printf %064d 0)" 'Maintainer: nobody' 'Description: none' >Packages
printf '%s\\n' 'Origin: Debian' 'Label: Debian-Security' 'Suite: stable-security' "Date: $(date -Ru)" SHA256: \\
    " $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages" >Release
echo 'deb [trusted=yes] file:{UPDATES} ./' >{SOURCE}
apt-get update -q -o Dir::Etc::sourcelist={SOURCE} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0"""
NO_UPDATE = f"rm -rf {UPDATES} {SOURCE} /var/lib/apt/lists/*{UPDATES.replace('/', '_')}*"

SWAPPED = (
    f"sed 's/^SwapTotal:.*/SwapTotal: 999999 kB/; s/^SwapFree:.*/SwapFree: 9999 kB/' /proc/meminfo >{KEPT}/meminfo && "
    f"mount --bind {KEPT}/meminfo /proc/meminfo"
)


@dataclass(frozen=True)
class Fault:
    """One fault, or a host that is to be judged by another rule."""

    name: str
    findings: str
    inject: str = "true"
    undo: str = "true"
    inside: dict = field(default_factory=dict)
    outside: dict = field(default_factory=dict)
    left: str = ""  # what is still found when the remedies have been carried out; "all" where the fault is pretended


def certificate(kind: str) -> str:
    return f"cp {KEPT}/{kind}.pem {CERTIFICATE}.pem && cp {KEPT}/{kind}.key {CERTIFICATE}.key && {RELOAD}"


def nginx(script: str) -> str:
    """A change of the application's configuration of nginx, which is then loaded."""
    return f"f=$(readlink -f /etc/nginx/sites-enabled/{APP}) && {script} && nginx -t -q && {RELOAD}"


def dropped(name: str, setting: str) -> dict:
    """A drop-in of somebody else, which sshd reads first."""
    path = f"/etc/ssh/sshd_config.d/00-{name}.conf"
    return dict(inject=f"echo '{setting}' >{path} && systemctl reload ssh", undo=f"rm {path} && systemctl reload ssh")


def written(path: str, content: str, touched: str = "now") -> dict:
    return dict(inject=f"echo '{content}' >{path} && touch -d '{touched}' {path}", undo=f"rm -f {path}")


def begun(action: str, program: str) -> str:
    """supervisorctl waits until a program has been up for some seconds, or has ended; nobody needs that here."""
    is_waiting = f"supervisorctl status {program} | grep -Eq 'STOPPED|no such'"
    return (
        f"supervisorctl {action} {program} >/dev/null 2>&1 & "
        f"for try in $(seq 100); do {is_waiting} || break; sleep 0.1; done; ! {is_waiting}"
    )


def restarted(program: str) -> str:
    return f"supervisorctl stop {program}; {begun('start', program)}"


def hung() -> str:
    """It may be starting, and fork a worker while pkill looks for its processes: once it is stopped, it forks no more."""
    stop = f"pkill -STOP -u {APP} gunicorn"
    return f"for try in $(seq 100); do {stop} && break; sleep 0.1; done; {stop}"


def said(**application: object) -> dict:
    """What the served release said of itself when it was made."""
    seal, kept = f"{RELEASE}/.release.json", f"{KEPT}/.release.json"
    change = (
        "import json, sys; about = json.load(sys.stdin); "
        f"about.setdefault(\"application\", {{}}).update(json.loads(sys.argv[1])); json.dump(about, sys.stdout)"
    )
    inject = f"cp -a {seal} {kept} && python3 -c '{change}' '{json.dumps(application)}' <{kept} >{seal}"
    return dict(inject=inject, undo=f"cp -a {kept} {seal}")


def mysql(name: str) -> dict:
    """A database of the host's server, as an application says it."""
    return dict(kind="mysql", name=name, host="localhost", port=0, bind="")


def elsewhere(name: str) -> str:
    """.env names another database."""
    return f"cp -a {ROOT}/shared/.env {KEPT}/; sed -i 's#localhost/{APP}#localhost/{name}#' {ROOT}/shared/.env"


def listening(port: int) -> str:
    return f"systemd-run -q --unit=listener python3 -m http.server {port} --directory /var/empty"


FAULTS = [
    # the certificate and TLS
    Fault("the certificate has expired", "certificate-expired", certificate("expired"), CERTIFICATE_BACK),
    Fault("the certificate expires soon", "certificate-expires-soon", certificate("soon"), CERTIFICATE_BACK),
    Fault("the certificate is of tomorrow", "certificate-not-yet-valid", certificate("future"), CERTIFICATE_BACK),
    Fault("the certificate is another site's", "certificate-names", certificate("other"), CERTIFICATE_BACK),
    Fault(
        "nobody knows who signed the certificate", "certificate-untrusted", certificate("foreign"), CERTIFICATE_BACK,
        outside=dict(tls="provided"),
    ),
    Fault("the provided certificate is self-signed", "certificate-untrusted", outside=dict(tls="provided")),
    Fault("no authority has signed yet", "certificate-self-signed", outside=dict(tls="letsencrypt")),
    Fault(
        "the certificate is not loaded", "certificate-not-loaded",
        certificate("fresh").replace(RELOAD, "true"), CERTIFICATE_BACK,
    ),
    Fault("the certificate is gone", "certificate-missing", f"rm {CERTIFICATE}.pem", CERTIFICATE_BACK),
    Fault(
        "the renewal failed", "renewal-failed",
        f"mkdir -p /var/lib/selfhost/tls; f=/var/lib/selfhost/tls/{APP}.json; [ ! -e $f ] || cp -a $f {KEPT}/tls.json; "
        'echo \'{"outcome": "failed", "message": "no such name"}\' >$f',
        f"f=/var/lib/selfhost/tls/{APP}.json; rm $f; [ ! -e {KEPT}/tls.json ] || mv {KEPT}/tls.json $f",
    ),
    Fault(
        "old versions of TLS are spoken", "tls-old-version",
        nginx(PROTOCOLS.format("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3") + CONFIGURED), NGINX_BACK,
    ),
    Fault(
        "TLS 1.2 is refused", "tls-profile", nginx(PROTOCOLS.format("TLSv1.3") + CONFIGURED), NGINX_BACK,
    ),
    Fault("TLS 1.2 is spoken", "tls-profile", outside=dict(profile="modern")),
    # the proxy
    Fault("nginx is stopped", "proxy-stopped", "systemctl stop nginx", "systemctl start nginx"),
    Fault("nginx's configuration is broken", "proxy-config-invalid", "echo 'nonsense;' >/etc/nginx/conf.d/x.conf", NGINX_BACK),
    Fault(
        "nginx can't start", "proxy-config-invalid",
        "echo 'nonsense;' >/etc/nginx/conf.d/x.conf; systemctl stop nginx; systemctl start nginx || true", NGINX_BACK,
    ),
    Fault(
        "another site has the name", "site-name-taken",
        nginx(
            "name=$(sed -n 's/^ *server_name \\([^ ;]*\\).*/\\1/p' $f | head -n 1) && "
            "echo \"server { listen 80;\n server_name $name; }\" >/etc/nginx/sites-enabled/z"
        ),
        NGINX_BACK,
    ),
    Fault(
        "HTTP stays HTTP", "http-not-redirected",
        nginx(r"sed -i 's/return 30[18] .*/return 200 hello;/' $(grep -rlE 'return 30[18]' /etc/nginx | xargs readlink -f | sort -u)"),
        NGINX_BACK,
    ),
    Fault(
        "nginx tells its version", "server-version-shown",
        nginx("sed -i 's/server_tokens off/server_tokens on/' $(grep -rl 'server_tokens off' /etc/nginx | xargs readlink -f | sort -u)"),
        NGINX_BACK,
    ),
    Fault("a static file can't be read", "static-refused", f"chmod 700 {RELEASE}/demo/static", f"chmod 755 {RELEASE}/demo/static"),
    Fault(
        "the application serves static files itself", "static-not-by-proxy",
        nginx("sed -i 's#/static.conf;#/proxy.conf;#' $f"), NGINX_BACK,
    ),
    Fault(
        "nobody is let in to HTTPS", "https-unreachable", "ufw prepend reject 443", "ufw delete reject 443",
    ),
    Fault("a header is missing", "header-missing", outside=dict(headers=("X-Nobody-Sends",))),
    Fault(
        "a location of its own drops the headers", "header-missing",
        nginx(
            f"sed -i 's#^    location @application {{#    location = /healthz {{ add_header X-Own 1; "
            f"include /etc/nginx/selfhost/{APP}/proxy.conf; }}\\n&#' $f"
        ),
        NGINX_BACK,
    ),
    Fault("an answer takes too long", "health-slow", outside=dict(seconds=0.0)),
    # the application
    Fault("the slot is stopped", "slot-stopped", f"supervisorctl stop {APP}-{SLOT}", restarted(f"{APP}-{SLOT}")),
    Fault(
        "the application raises at its start", "slot-crashing",
        f"cp -a {ROOT}/slots/{SLOT}.settings/gunicorn.conf.py {KEPT}/; "
        f"echo 'raise RuntimeError(\"heron\")' >>{ROOT}/slots/{SLOT}.settings/gunicorn.conf.py; "
        + restarted(f"{APP}-{SLOT}"),
        f"cp -a {KEPT}/gunicorn.conf.py {ROOT}/slots/{SLOT}.settings/; " + restarted(f"{APP}-{SLOT}"),
    ),
    Fault(
        "the Python of the version has gone", "python-missing",
        f"cp -a {RELEASE}/.venv/bin/python {KEPT}/ && ln -sfn /usr/bin/python3.1 {RELEASE}/.venv/bin/python",
        f"rm {RELEASE}/.venv/bin/python && mv {KEPT}/python {RELEASE}/.venv/bin/",
    ),
    Fault(
        "a module is missing", "module-missing",
        f"mv {RELEASE}/demo/extensions.py {KEPT}/; " + restarted(f"{APP}-{SLOT}"),
        f"mv {KEPT}/extensions.py {RELEASE}/demo/; " + restarted(f"{APP}-{SLOT}"),
    ),
    Fault(
        "the application hangs", "slot-silent", hung(), f"pkill -CONT -u {APP} gunicorn || true",
    ),
    Fault("the health URL answers 404", "application-error", inside=dict(health_url="/no"), outside=dict(health_url="/no")),
    Fault("the text is missing", "health-text", inside=dict(health_text="pelican"), outside=dict(health_text="pelican")),
    Fault("supervisor is stopped", "process-manager-stopped", "systemctl stop supervisor", "systemctl start supervisor"),
    Fault(
        "live.sock leads nowhere", "live-link-broken", f"cp -a {ROOT}/run/live.sock {KEPT}/; ln -sfn nowhere.sock {ROOT}/run/live.sock",
        f"rm {ROOT}/run/live.sock; mv {KEPT}/live.sock {ROOT}/run/",
    ),
    Fault("live.sock is gone", "live-link-broken", f"mv {ROOT}/run/live.sock {KEPT}/", f"mv {KEPT}/live.sock {ROOT}/run/"),
    Fault("a worker is stopped", "worker-stopped", f"supervisorctl stop {APP}.ticker", restarted(f"{APP}.ticker")),
    Fault(
        "a worker's command does not exist", "worker-crashing",
        f"sed -i.kept 's/sleep infinity/no-such-program/' {ROOT}/work; " + restarted(f"{APP}.ticker"),
        f"mv {ROOT}/work.kept {ROOT}/work; " + restarted(f"{APP}.ticker"),
    ),
    Fault(
        "a worker was left behind", "worker-left",
        f"printf '[program:{APP}.left]\\ncommand=sleep infinity\\n' >/etc/supervisor/conf.d/left.conf; "
        f"supervisorctl reread; {begun('add', APP + '.left')}",
        f"rm /etc/supervisor/conf.d/left.conf; supervisorctl stop {APP}.left; supervisorctl remove {APP}.left; supervisorctl reread",
    ),
    # deployments
    Fault("the site is closed", "site-closed", **written(f"{ROOT}/gate/site.closed", '{"retry_after": 5, "message": ""}')),
    Fault(
        "the site was left closed", "site-left-closed",
        **written(f"{ROOT}/gate/site.closed", '{"retry_after": 5, "message": ""}', "5 hours ago"),
    ),
    Fault("writes are refused", "writes-refused", **written(f"{ROOT}/gate/workers.closed", '{"retry_after": 5, "message": ""}')),
    Fault(  # its remedy tries again every two seconds; a try that has begun is not to outlive this
        "a deployment was cut off", "deployment-interrupted", f"echo '{{\"entry\": {{\"release\": \"v9\"}}}}' >{OWN}/journal.json",
        f"rm {OWN}/journal.json; systemctl stop flask-{APP}-recover", left="all",
    ),
    Fault(
        "a dead deployment has the lock", "deployment-lock-left",
        **written(f"{OWN}/lock.json", '{"id": "x", "owner": "ana@laptop", "reason": "v9", "machine": "x", "process": 1, "started": ""}', "1 hour ago"),
    ),
    Fault(
        "somebody deploys", "deployment-running",
        **written(f"{OWN}/lock.json", '{"id": "x", "owner": "ana@laptop", "reason": "v9", "machine": "x", "process": 1, "started": ""}'),
    ),
    Fault(
        "current is another release", "current-mismatch",
        f"cp -a {ROOT}/current {KEPT}/; mkdir {ROOT}/releases/other; ln -sfn releases/other {ROOT}/current",
        f"rm {ROOT}/current; mv {KEPT}/current {ROOT}/; rmdir {ROOT}/releases/other",
    ),
    # data and settings
    Fault("the database is stopped", "database-stopped", "systemctl stop mariadb", "systemctl start mariadb"),
    Fault(
        "the database is not there", "database-unreachable settings-pending",
        f"{elsewhere(APP + 'x')}\n{said(databases=[mysql(APP + 'x')])['inject']}",
        f"cp -a {KEPT}/.env {ROOT}/shared/; {said()['undo']}",
    ),
    Fault(
        "the application does not use the database that .env names", "database-differs settings-pending",
        elsewhere(APP + "x"), f"cp -a {KEPT}/.env {ROOT}/shared/",
    ),
    Fault(
        "the database is behind", "database-behind",
        f"{SQL} 'CREATE TABLE kept SELECT * FROM alembic_version; DELETE FROM alembic_version'",
        f"{SQL} 'INSERT INTO alembic_version SELECT * FROM kept; DROP TABLE kept'",
    ),
    Fault("a bind is elsewhere", "database-not-copied", **said(databases=[
        mysql(APP),
        dict(kind="postgresql", name="log", host="db.example.com", port=0, bind="log"),
    ])),
    Fault("the secret key is from a tutorial", "secret-key-weak", **said(secret_key="weak")),
    Fault("the secret key is from the code", "secret-key-foreign", **said(secret_key="foreign")),
    Fault(
        "a setting is missing", "settings-missing",
        f"cp -a {ROOT}/shared/.env {KEPT}/; sed -i /^DATABASE_URL/d {ROOT}/shared/.env", f"cp -a {KEPT}/.env {ROOT}/shared/",
    ),
    Fault(
        "a setting was changed by hand", "settings-pending",
        f"cp -a {ROOT}/shared/.env {KEPT}/; echo COLOUR=blue >>{ROOT}/shared/.env", f"cp -a {KEPT}/.env {ROOT}/shared/",
    ),
    Fault("everybody can read .env", "env-exposed", f"chmod 644 {ROOT}/shared/.env", f"chmod 640 {ROOT}/shared/.env"),
    Fault(".env is the application's", "env-mode", f"chown {APP} {ROOT}/shared/.env", f"chown root {ROOT}/shared/.env"),
    Fault("everybody can read the key", "key-exposed", f"chmod 644 {CERTIFICATE}.key", f"chmod 600 {CERTIFICATE}.key"),
    Fault("everybody can read the backups", "backups-exposed", f"chmod 755 {BACKUPS}", f"chmod 700 {BACKUPS}"),
    Fault("there is no backup", "backup-missing", f"touch -d '3 days ago' {OWN}/backup.json", f"touch {OWN}/backup.json"),
    Fault("the backup is old", "backup-old", f"mkdir {BACKUPS}/20250101T000000Z", f"rmdir {BACKUPS}/20250101T000000Z"),
    Fault("the backup failed", "backup-failed", **written(f"{OWN}/last-backup.json", '{"ok": false, "problem": "no room", "time": "now"}')),
    Fault("a trial failed", "drill-failed", **written(f"{OWN}/drill.json", '{"ok": false, "problem": "rows", "backup": "x"}')),
    Fault("no trial for long", "drill-old", **written(f"{OWN}/drill.json", '{"ok": true, "backup": "x"}', "20 days ago")),
    Fault("no backups are due", "backup-timer-stopped", f"systemctl stop flask-{APP}-backup.timer", f"systemctl start flask-{APP}-backup.timer"),
    # the machine
    Fault(
        "a disk is full", "disk-full",
        f"mount -t tmpfs -o size=40m,mode=700 tmpfs {BACKUPS} && fallocate -l 39M {BACKUPS}/full", f"umount {BACKUPS}",
    ),
    Fault(
        "there are too many files", "inodes-low",
        f"mount -t tmpfs -o size=40m,nr_inodes=40,mode=700 tmpfs {BACKUPS} && touch $(seq -f {BACKUPS}/%g 39)", f"umount {BACKUPS}",
    ),
    Fault(
        "a disk fails and takes no more writes", "disk-errors filesystem-readonly",
        "systemd-cat -t kernel -p err echo 'I/O error, dev vda, sector 7 op 0x0:(READ)'; "
        f"mount -t tmpfs -o ro,size=40m,mode=700 tmpfs {BACKUPS}",
        f"umount {BACKUPS}; {FORGET}",
    ),
    Fault("the memory is short", "memory-low", inside=dict(memory_free=1 << 40)),
    Fault("a unit has failed", "unit-failed", "systemd-run -q --unit=fails --wait false || true",
          "systemctl reset-failed fails", left="all"),
    Fault("a reboot is due", "reboot-required", "touch /run/reboot-required", "rm /run/reboot-required"),
    Fault(
        "the machine is full and old", "disk-filling swap-full updates-pending",
        f"{UPDATE}\n{SWAPPED}\nmount -t tmpfs -o size=40m,mode=700 tmpfs {BACKUPS} && fallocate -l 37M {BACKUPS}/much",
        f"umount {BACKUPS} /proc/meminfo; {NO_UPDATE}", inside=dict(brief=False, disk_free=2),
    ),
    # who gets in
    Fault("passwords are let in", "ssh-password-login", **dropped("a", "PasswordAuthentication yes")),
    Fault("root is let in", "ssh-root-login", **dropped("a", "PermitRootLogin prohibit-password")),
    Fault(
        "some are let in", "ssh-password-login ssh-root-login", left="all",  # a person has to edit that file
        **dropped("a", "Match User daemon\nPasswordAuthentication yes\nMatch Address 198.51.100.0/24\nPermitRootLogin yes"),
    ),
    Fault(
        "sshd's configuration is broken", "sshd-config-invalid",
        **{name: text.replace("&& systemctl reload ssh", "") for name, text in dropped("a", "Nonsense yes").items()},
    ),
    Fault("the firewall is off", "firewall-off", "ufw disable", "ufw --force enable"),
    Fault("the firewall lets all in", "firewall-default", "ufw default allow incoming", "ufw default deny incoming"),
    Fault(
        "rules come before the firewall's", "firewall-foreign", "iptables -I INPUT -p tcp ! --dport 22 -j REJECT",
        "iptables -D INPUT -p tcp ! --dport 22 -j REJECT",
    ),
    Fault("something listens", "port-listening", listening(8123), "systemctl stop listener"),
    Fault(
        "a port is open", "port-open", f"{listening(8123)}; ufw allow 8123", "systemctl stop listener; ufw delete allow 8123",
        left="port-listening",
    ),
    Fault(
        "a jail is dead", "jail-missing", "fail2ban-client stop sshd", "fail2ban-client reload",
    ),
    Fault(
        "fail2ban is stopped", "fail2ban-stopped", "systemctl stop fail2ban", "systemctl start fail2ban",
    ),
    Fault(
        "names lead nowhere and elsewhere", "certificate-names name-elsewhere name-unresolved",
        outside=dict(aliases=("www.example.invalid", "127.1")),  # which is this machine's without any DNS, and has a dot
    ),
    # the logs
    Fault(
        "the application has raised", "application-errors",
        f"""printf '%s ERROR in app: on /\\nTraceback (most recent call last):\\n  File "x"\\nValueError: heron\\n' \
            "$(date '+[%F %T %z]')" >>{LOG}/{SLOT}.log""",
    ),
    Fault(
        "nginx could not connect", "proxy-errors",
        f"""echo "$(date '+%Y/%m/%d %T') [error] 1#1: *1 connect() failed while connecting to upstream" >>/var/log/nginx/{APP}.error.log""",
    ),
]
