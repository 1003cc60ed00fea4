# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What on a host has an application's name, or its host names, and is something else."""

from __future__ import annotations

import shlex

# Prints one `name value` a line. An earlier run has left at least one of the three things that are looked for
# first, however it ended; then the name is the application's own. A folder that is as the roles make it is not
# changed by them: it is what a removed application has left.
PROBE = r"""
app=APP
if [ "$(id -u)" = 0 ]; then root=; else root='sudo -n'; fi
if ! { [ -d "/srv/$app/deployment" ] || grep -qs '"Flask application"' "/etc/sysusers.d/$app.conf" ||
    getent passwd "$app" | grep -q ':Flask application:/var/cache/'; }
then
    getent passwd "$app" >/dev/null && echo "taken the user $app"
    getent group "$app" >/dev/null && echo "taken the group $app"
    for path in "/srv/$app" "/var/cache/$app" "/etc/nginx/sites-available/$app" "/etc/nginx/sites-enabled/$app" \
        "/etc/supervisor/conf.d/$app.conf" "/etc/systemd/system/$app.service" "/usr/lib/systemd/system/$app.service"
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
    grep -lsE "^\[(program|group):$app(-blue|-green)?\]" /etc/supervisor/conf.d/*.conf | sed 's/^/taken a program in /'
    count="SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '$app'"
    case $(command -v mysql >/dev/null && $root mysql -N -e "$count" 2>/dev/null) in
        '' | 0) ;;
        *) echo "taken the database $app" ;;
    esac
fi
for site in /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf; do
    [ -f "$site" ] && [ "${site##*/}" != "$app" ] || continue
    names=$(sed 's/#.*//' "$site" | tr '\n\tA-Z' '  a-z' | grep -o 'server_name [^;]*' | tr -s ' ' | sed 's/$/ /')
    for domain in DOMAINS; do
        case $names in
            *"server_name $domain "*) place=first ;;
            *" $domain "*) place=other ;;
            *) continue ;;
        esac
        if [ -d "/srv/${site##*/}/deployment" ]; then kind=application; else kind=foreign; fi
        echo "site $place $kind $domain $site"
    done
done
true
"""


def names_probe(app: str, domains: list[str]) -> str:
    """What to run on the host in a shell."""
    quoted = " ".join(shlex.quote(domain.lower()) for domain in domains)
    return PROBE.replace("APP\n", shlex.quote(app) + "\n", 1).replace("DOMAINS", quoted)


def read_names(values: dict[str, list[str]]) -> dict:
    """The results, from the values that the probe printed for each name."""
    keys = ("place", "kind", "domain", "path")
    sites = [dict(zip(keys, line.split(" ", 3))) for line in values.get("site", [])]
    return dict(taken=values.get("taken", []), sites=sites)
