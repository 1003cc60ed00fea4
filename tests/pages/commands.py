"""The commands of the documentation's pages, as they are typed to a project whose host is a test host."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
PAGES = (
    "docs/quickstart.md", "docs/updates.md", "docs/day-to-day.md", "docs/services.md", "docs/backups.md", "docs/databases.md", "README.md",
    "docs/faq.md",
)
HOST = "blog.example.com"
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
SHELL = ("", "sh", "text", "console")
GENERATED = re.compile(r"<!-- begin (\w+):.*?<!-- end \1 -->", re.S)
INLINE = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"selfhost\.flask\.\w+")  # of a playbook, in a sentence
PLAYBOOK = re.compile(r"^(?:ansible-playbook )?selfhost\.flask\.\w+( |$)")
BEGINS = re.compile(r"^(?:ansible-|selfhost\.flask\.\w|sudo |ssh |ssh-|python3 -m|pip |mkdir |git |curl )")

# What a page has for its reader, and what the same is for the demo application.
REPLACED = (
    ("flask-microblog", "flask-guestbook"), ("<app>", "guestbook"), ("v0.18", "v2"), ("flask status", "flask routes"),
    ("ssh -t HOST", f"ssh -t deploy@{HOST}"),
)
# What is not typed to the test host, and why.
LEFT_OUT = {
    r"apt install|pip install|python3 -m venv|ansible-galaxy|ssh-keygen|ssh-add|ssh-copy-id|mkdir|git ": "is for the reader's computer",
    r"selfhost\.flask\.new": "is what the project was made by",
    r"sudo -u postgres|pgloader": "is for PostgreSQL",
    r"^ssh root@|^ssh deploy@blog.example.com$": "is a login by hand",
    r"^ansible-playbook$|…|\.service$|\.timer$": "is no whole command",
    r"flask_backup_from_restic|restic|ansible-vault": "needs what only the reader has",
    r"loginctl terminate-user": "ends the login by which it is typed",
    r"playbooks/site.yml|inventories/example": "is for a clone of the collection",
}


class Command(NamedTuple):
    """A command, and where it is said."""

    page: str
    text: str

    def reason(self) -> str:
        """Why it is not run; empty if it is."""
        return next((why for pattern, why in LEFT_OUT.items() if re.search(pattern, self.text)), "")

    def argv(self) -> list[str]:
        """What is run in the project's folder."""
        text = self.text
        for word, other in REPLACED:
            text = text.replace(word, other)
        if PLAYBOOK.match(text):
            return ["ansible-playbook", *shlex.split(text.removeprefix("ansible-playbook "))]
        if text.startswith("sudo "):
            return ["ssh", "-t", f"deploy@{HOST}", text]
        return shlex.split(text)


def commands(page: str) -> list[Command]:
    """Those of a page, in its order, each once; what a run of the commands has printed is none, nor a playbook's name in a sentence."""
    text = GENERATED.sub("", (TOP / page).read_text())
    found = {}
    for match in re.finditer(f"{BLOCK.pattern}|{INLINE.pattern}", text, BLOCK.flags):
        typed = match[3] or (match[2] if match[1] in SHELL else "")
        if match[3] and NAME.fullmatch(typed) and text[text.rfind("\n", 0, match.start()) + 1] != "|":
            continue
        for line in typed.replace("\\\n", " ").splitlines():
            words = " ".join(line.removeprefix("$ ").split())
            if BEGINS.match(words):
                found[words] = Command(page, words)
    return list(found.values())
