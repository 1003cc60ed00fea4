# Shared by the commands beside it: a Debian machine with git and Python 3.11 gets what they need.
# shellcheck shell=bash
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"
export ANSIBLE_HOME=$top/.ansible ANSIBLE_CONFIG=$top/ansible.cfg
export ANSIBLE_FORCE_COLOR=${ANSIBLE_FORCE_COLOR:-0}
export PIP_RETRIES=${PIP_RETRIES:-10} PIP_TIMEOUT=${PIP_TIMEOUT:-60}

say() { printf '\n== %s\n' "$*"; }

# retry COMMAND...: three times with a pause between, for what comes over a network.
retry() {
    local try
    for try in 1 2 3; do
        [ "$try" = 1 ] || sleep $((try * 10))
        "$@" && return
        printf 'try %s of 3 failed: %s\n' "$try" "$*" >&2
    done
    return 1
}

# packages NAME...: installs those Debian packages that are missing.
packages() {
    local name missing=()
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return
    retry apt-get update -q
    DEBIAN_FRONTEND=noninteractive retry apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# python_environment FOLDER PYTHON REQUIREMENT...: a virtual environment, made again when the
# requirements differ.
python_environment() {
    local folder=$1 python=$2 key
    shift 2
    key=$( { echo "$*"; cat requirements*.txt; "$python" --version; } | sha256sum)
    [ "$(cat "$folder/.key" 2>/dev/null)" = "$key" ] && return
    rm -rf "$folder"
    "$python" -m venv "$folder"
    retry "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
    echo "$key" >"$folder/.key"
}

# The controller: Ansible in .venv, and this checkout as the collection that it finds.
controller() {
    packages git openssh-client python3-venv
    python_environment .venv python3 -r requirements-dev.txt
    mkdir -p .ansible/collections/ansible_collections/selfhost
    ln -sfn ../../../.. .ansible/collections/ansible_collections/selfhost/flask
    PATH=$top/.venv/bin:$PATH
}
