# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What on a host has an application's name, or its host names, and is something else."""

from __future__ import annotations

import re
import shlex

# Prints one `name value` a line. An earlier run has left at least one of the three things that are looked for
# first, however it ended; then the name is the application's own. A folder that is as the roles make it is not
# changed by them: it is what a removed application has left.
PROBE = r"""
app=APP
if [ "$(id -u)" = 0 ]; then root=; else root='sudo -n'; fi
[ -L "/srv/$app/current" ] && echo "deployed $app"
if ! { [ -d "/srv/$app/deployment" ] || grep -qs '"Flask application"' "/etc/sysusers.d/$app.conf" ||
    getent passwd "$app" | grep -q ':Flask application:/var/cache/'; }
then
    getent passwd "$app" >/dev/null && echo "taken the user $app"
    getent group "$app" >/dev/null && echo "taken the group $app"
    for path in "/srv/$app" "/var/cache/$app" "/etc/systemd/system/$app.service" "/usr/lib/systemd/system/$app.service" PATHS
    do
        if [ -e "$path" ] || [ -L "$path" ]; then echo "taken $path"; fi
    done
    for folder in /etc /run /usr/local/lib /usr/lib; do
        for kind in sysusers tmpfiles; do
            [ -e "$folder/$kind.d/$app.conf" ] && echo "taken $folder/$kind.d/$app.conf"
        done
    done
    for as_ours in "/var/log/$app 750 root adm" "/var/backups/$app 700 root root"; do
        set -- $as_ours
        [ -e "$1" ] && [ "$(stat -c '%n %a %U %G' "$1")" != "$as_ours" ] && echo "taken $1"
    done
TAKEN
fi
set -- DOMAINS
SITES
true
"""
FIELD = re.compile(r"\b(APP|DOMAINS|PATHS|TAKEN|SITES)\b")


def names_probe(
    app: str, domains: list[str], taken_paths: list[str], taken_scripts: list[str], site_scripts: list[str]
) -> str:
    """What to run on the host in a shell. The scripts have $app, $root before what only root can do, and $@, the host names."""
    values = {
        "APP": shlex.quote(app),
        "DOMAINS": " ".join(shlex.quote(domain.lower()) for domain in domains),
        "PATHS": " ".join(map(shlex.quote, taken_paths)),
        "TAKEN": "\n".join([":", *taken_scripts]),
        "SITES": "\n".join(site_scripts),
    }
    return FIELD.sub(lambda found: values[found[0]], PROBE)


def read_names(values: dict[str, list[str]]) -> dict:
    """The results, from the values that the probe printed for each name."""
    keys = ("place", "kind", "domain", "path")
    sites = [dict(zip(keys, line.split(" ", 3))) for line in values.get("site", [])]
    return dict(deployed="deployed" in values, taken=values.get("taken", []), sites=sites)
