# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How uv reads private git repositories: by settings in its environment, so that no argument and no log has a secret."""

from __future__ import annotations

import os
import re
import shutil
from typing import Iterator
from urllib.parse import unquote, urlsplit

from ansible_collections.selfhost.flask.plugins.module_utils.build.git import CREDENTIALS, SSH, TOKEN, without_user
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import give_tree

VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
WITH_USER = re.compile(r"https?://[^/@\s]+@[^\s#;]+")
OF_UV = ("PROJECT_ROOT", "PWD")
KNOWN_HOSTS = "/root/.ssh/known_hosts"


class GitAccess:
    """What the task's options know of private repositories."""

    def __init__(self, params: dict) -> None:
        self.env = {name: str(value) for name, value in (params["requirements_env"] or {}).items()}
        self.key = params["key"]
        self.repo = params.get("repo") or ""

    def expand(self, text: str) -> str:
        """A text with the values of its ${VARIABLES}."""
        return VARIABLE.sub(lambda match: self.env.get(match.group(1), match.group()), text)

    def url_of(self, url: str) -> str:
        """A repository's URL with what opens it: its own user, or that of the application's repository beside it."""
        url, own, other = self.expand(url), urlsplit(self.repo), urlsplit(url)
        if other.scheme.startswith("http") and not other.username and own.username and own.hostname == other.hostname:
            return url.replace("://", "://%s@" % own.netloc.rpartition("@")[0], 1)
        return url

    def missing(self, texts: list) -> list:
        """The variables that the requirements name, and that have no value."""
        found = {name for text in texts for name in VARIABLE.findall(text)}
        return sorted(found - set(self.env) - set(OF_UV))

    def secrets(self, texts: list) -> set:
        """What of users and passwords must not be shown."""
        users = [urlsplit(url) for url in self._urls(texts)]
        found = {url.password or url.username or "" for url in users if url.password or len(url.username or "") >= TOKEN}
        return {one for secret in found | set(self.env.values()) for one in (secret, unquote(secret)) if len(one) > 5}

    def _urls(self, texts: list) -> Iterator[str]:
        yield from ([self.repo] if WITH_USER.match(self.repo) else [])
        for text in texts:
            yield from WITH_USER.findall(self.expand(text))

    def variables(self, texts: list) -> dict:
        """Has git ask its environment for the user of each URL."""
        found, settings = {"GIT_TERMINAL_PROMPT": "0"}, {}
        for number, url in enumerate(dict.fromkeys(self._urls(texts))):
            user, place = urlsplit(url), without_user(url)
            place = "%s://%s" % (user.scheme, user.netloc.rpartition("@")[2]) if url == self.repo else place.partition("@")[0]
            settings["credential.%s.helper" % place] = re.sub(r"(SELFHOST_GIT_[A-Z]+)", r"\1_%d" % number, CREDENTIALS)
            found["SELFHOST_GIT_USER_%d" % number] = unquote(user.username or "")
            found["SELFHOST_GIT_PASSWORD_%d" % number] = unquote(user.password or "")
        for number, (name, value) in enumerate(settings.items()):
            found.update({"GIT_CONFIG_KEY_%d" % number: name, "GIT_CONFIG_VALUE_%d" % number: value})
        return dict(found, GIT_CONFIG_COUNT=str(len(settings)))

    def ssh(self, texts: list, folder: str, user: str) -> dict:
        """Gives the user the deploy key for as long as the folder is there, if anything is read by ssh."""
        if not self.key or not any("ssh://" in text or "git@" in text for text in texts):
            return {"GIT_SSH_COMMAND": SSH}
        inner, hosts = os.path.join(folder, "ssh"), KNOWN_HOSTS
        os.mkdir(inner, 0o700)
        with os.fdopen(os.open(os.path.join(inner, "key"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(self.key.rstrip("\n") + "\n")
        if os.path.isfile(hosts):
            shutil.copy(hosts, os.path.join(inner, "known_hosts"))
        give_tree(inner, user)
        options = "-o IdentitiesOnly=yes -i %s/key -o UserKnownHostsFile=%s/known_hosts" % (inner, inner)
        return {"GIT_SSH_COMMAND": "%s %s" % (SSH, options)}
