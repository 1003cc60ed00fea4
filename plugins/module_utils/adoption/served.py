# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the new application has all that the old one had, and is what visitors of this host get."""

from __future__ import annotations

import http.client
import os
import ssl
import time

from ansible_collections.selfhost.flask.plugins.module_utils.adoption.data import COMPANIONS, count_files
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import AdoptionError
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import MANIFEST
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import data_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import compare, members_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import match, parts_of
from ansible_collections.selfhost.flask.plugins.module_utils.shared.files import inside
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PATIENCE = 15  # seconds
DIFFERS = "%s has %s with %d bytes here, and had %d with %d."


def compare_all(site: Site, archive: str) -> dict:
    """How many rows and files there are; AdoptionError or DatabaseError where the old installation had others."""
    manifest = read_json(os.path.join(archive, MANIFEST)) or {}
    database, rows = data_of(site).database, 0
    if manifest.get("database"):
        parts = parts_of(manifest["database"])
        for part, one in zip(parts, match(parts, members_of(database))):
            if one is None:
                raise AdoptionError(
                    "The new application has no %s database, which %s was. Set flask_database to its kind."
                    % (part["kind"], part["database"])
                )
            compare(part, one.tables(), one.revision())
            rows += sum(one.tables().values())
    own = filter(None, (inside(site, one) for one in members_of(database)))
    kept = [path + end for path in own for end in ("", *COMPANIONS)]
    now = count_files(site.path("shared"), manifest.get("places", []), kept)
    before = manifest.get("counts", {})
    wrong = [
        DIFFERS % (place, count_of(now[place][0], "file"), now[place][1], *before[place])
        for place in before if now[place] != before[place]
    ]
    if wrong:
        raise AdoptionError(" ".join(wrong))
    return dict(rows=rows, files=sum(files for files, dummy in now.values()))


def ask(domain: str, url: str, accepted: list) -> int:
    """The status that a visitor gets from this host's proxy; AdoptionError where that is an error."""
    end, said = time.monotonic() + PATIENCE, ""
    while time.monotonic() < end:
        try:
            status = status_of(domain, url)
            if status in accepted or (status < 400 and not accepted):
                return status
            said = "it answers %d" % status
        except (OSError, http.client.HTTPException) as error:
            said = str(error)
        time.sleep(0.2)
    raise AdoptionError(
        "https://%s%s is not healthy on this host: %s. Fix the new application, and run it again." % (domain, url, said)
    )


def status_of(domain: str, url: str) -> int:
    """By the loopback, whatever DNS says; the certificate is somebody else's to look at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", 443, timeout=10, context=context)
    try:
        connection.request("GET", url, headers={"Host": domain})
        return connection.getresponse().status
    finally:
        connection.close()
