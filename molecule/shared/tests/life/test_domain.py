"""Another domain, as docs/server-life.md says."""

from __future__ import annotations

import socket
import ssl

from machine import Application
from project import DOMAIN, FIRST, Project, done


def certified(application: Application, trusted: str) -> bool:
    """Whether the certificate is one for the application's name, for who trusts this one alone."""
    context = ssl.create_default_context(cadata=trusted)
    try:
        with socket.create_connection((application.address, 443), timeout=20) as raw:
            context.wrap_socket(raw, server_hostname=application.domain).close()
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_the_site_has_the_new_name_and_the_old_one_is_not_answered(project: Project) -> None:
    old, new = project.application("microblog", FIRST), project.application("microblog", DOMAIN)
    assert old.answers() and new.visitor().get("/healthz").status_code == 421
    project.hosts[FIRST] = {"flask_domain": DOMAIN}
    project.site()
    assert new.answers() and old.visitor().get("/healthz").status_code == 421
    trusted = done(new, "cat /etc/ssl/selfhost/microblog.pem")
    assert certified(new, trusted) and not certified(old, trusted)
