# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation tells people to write is read by somebody."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.selfhost.flask.plugins.plugin_utils._variable_names import read_defaults, read_offers, read_options
from ansible_collections.selfhost.flask.plugins.plugin_utils._variable_values import find_problems
from deployments import ROLES

TOP = ROLES.parent
PAGES = [TOP / "README.md", *sorted(TOP.glob("docs/*.md")), *sorted(ROLES.glob("*/README.md"))]
INVENTORIES = [*sorted(TOP.glob("inventories/*/hosts.yml")), TOP / "tests/audit/production.yml"]
CODE = re.compile(r"^ *(```|~~~).*?^ *\1|`[^`\n]*`", re.M | re.S)
BLOCK = re.compile(r"^ *```yaml\n(.*?)^ *```", re.M | re.S)  # also one of an item of a list
SET = re.compile(r"-e [\"']?\{?[\"']?(\w+)[\"']?[=:]")
WORD = re.compile(r"`(\w+)[:`]")
# What is written so, and is no variable: modules, what an application calls its own, an example of a wrong one.
OTHER_WORDS = {path.stem for path in TOP.glob("plugins/modules/*.py")} | {"flask_wtf", "mysql_databases"}

OF_A_PROJECT = set(re.findall(r"\{\{ ([a-z]+) ", (TOP / "playbooks/new.yml").read_text(encoding="utf-8")))

DEFAULTS = read_defaults()
KNOWN = {name for variables in DEFAULTS.values() for name in variables} | set(read_offers())
OPTIONS = {name: option for role in DEFAULTS for name, option in read_options(role).items()}


class Reader(yaml.SafeLoader):
    """Of what is encrypted, the text is enough."""


Reader.add_constructor("!vault", lambda reader, node: node.value)


def nodes(value):
    """Each key of some YAML with its value, wherever it is."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield str(key), inner
        yield from nodes(inner)


def texts(path):
    text = path.read_text(encoding="utf-8")
    return [text] if path.suffix == ".yml" else map(textwrap.dedent, BLOCK.findall(text))


@pytest.fixture(params=[*PAGES, *INVENTORIES], ids=lambda path: str(path.relative_to(TOP)))
def page(request):
    return request.param


def variables(path):
    """The keys that a role or the collection would have to read, with their values."""
    for text in texts(path):
        for name, value in nodes(yaml.load(text, Reader)):
            if name.partition("_")[0] in DEFAULTS and "_" in name:
                yield name, value


def test_each_variable_that_a_page_sets_is_one(page):
    assert {name for name, dummy in variables(page)} - KNOWN == set()


def test_each_value_that_a_page_sets_is_one_that_its_role_takes(page):
    for name, value in variables(page):
        assert list(find_problems(name, value, OPTIONS[name])) == []


def test_each_variable_that_a_page_speaks_of_is_one(page):
    text = page.read_text(encoding="utf-8")
    words = {word for word in WORD.findall(text) if word.partition("_")[0] in DEFAULTS and "_" in word.strip("_")}
    assert words - KNOWN - OTHER_WORDS == set()
    assert set(SET.findall(text)) - KNOWN - OF_A_PROJECT == set()


ENCRYPT = [line for line in (TOP / "docs/settings.md").read_text(encoding="utf-8").splitlines() if line.startswith("ansible-vault encrypt_")]
ANSWERS = {b"Variable name": b"API_TOKEN\n", b"String to encrypt": b"pelican\n"}
PATIENCE = 20


def type_answers(argv, environment):
    """What a program shows in a terminal where somebody answers what it asks for."""
    process, terminal = pty.fork()
    if not process:
        os.execve(argv[0], argv, environment)
    shown, left = b"", dict(ANSWERS)
    while select.select([terminal], [], [], PATIENCE)[0]:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # it has ended
            break
        for question in [question for question in left if question in shown]:
            os.write(terminal, left.pop(question))
    os.close(terminal)
    os.waitpid(process, 0)
    return shown.decode()


@pytest.mark.parametrize("command", ENCRYPT)
def test_a_secret_is_encrypted_as_it_was_typed(command, tmp_path):
    (tmp_path / "password").write_text("stork")
    environment = {**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password"), "ANSIBLE_HOME": str(tmp_path)}
    name, *arguments = shlex.split(command)
    shown = type_answers([str(Path(sys.executable).with_name(name)), *arguments], environment)
    (encrypted,) = re.findall(r"API_TOKEN: !vault \|\r?\n((?: +\S+\r?\n)+)", shown)
    vault = VaultLib([("default", VaultSecret(b"stork"))])
    assert vault.decrypt("\n".join(encrypted.split())) == b"pelican"


LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]\n]+\]: (\S+)$", re.M)  # in its place, or by itself: [x]: URL
# Where the repository's files are for a reader of Galaxy or of an installed collection, which has no docs/.
OWN = re.compile(r"https://(?:github\.com/selfhost/flask/(?:blob|tree)|raw\.githubusercontent\.com/selfhost/flask)/main/")
INSTALLED = [page for page in PAGES if "docs" not in page.parts] + [TOP / "CONTRIBUTING.md", TOP / "CHANGELOG.md"]
README_SIZE = 9000  # bytes; more is on the pages that it leads to


def anchors(path):
    """What a link can lead to on a page."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def links(path):
    """Those of a page; those within its code are somebody else's."""
    return [in_place or by_itself for in_place, by_itself in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8")))]


def lead(page, link):
    """The file of the repository, and the anchor in it, to which a link of a page leads; None if it leads elsewhere."""
    name, _, anchor = link.partition("#")
    absolute = OWN.match(name)
    if absolute:
        return TOP / name[absolute.end():], anchor
    return None if ":" in link else (page.parent / name if name else page, anchor)


@pytest.mark.parametrize("page", [*PAGES, *INSTALLED[-2:]], ids=lambda path: str(path.relative_to(TOP)))
def test_links_lead_somewhere(page):
    for link in links(page):
        target, anchor = lead(page, link) or (page, "")
        assert target.exists(), link
        assert not anchor or anchor in anchors(target / "README.md" if target.is_dir() else target), link


@pytest.mark.parametrize("page", INSTALLED, ids=lambda path: str(path.relative_to(TOP)))
def test_links_work_from_galaxy_and_from_an_installed_collection(page):
    assert [link for link in links(page) if not link.startswith(("https://", "#"))] == []
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    named = {name.lower() for name in re.findall(r"\[([^\]\n]+)\](?![\[(]|: https:)", text)}  # [x], or the second of [text][x]
    assert named == {name.lower() for name in re.findall(r"^\[([^\]\n]+)\]: ", text, re.M)}


# What a reader has outside of the repository: messages, comments in what is written or copied, and `ansible-doc`.
OUTSIDE = [path for pattern in ("roles/*/*/*", "plugins/**/*.py", "playbooks/*", "inventories/*/*") for path in TOP.glob(pattern) if path.is_file()]


def test_what_is_read_outside_of_the_repository_leads_there_by_a_url():
    """A page is not in an installed collection."""
    page = re.compile(r"(?<![\w/])docs/[\w-]+\.md")
    assert [str(path.relative_to(TOP)) for path in OUTSIDE if page.search(path.read_text(encoding="utf-8"))] == []


def test_the_first_page_is_short():
    assert (TOP / "README.md").stat().st_size <= README_SIZE


# What people ask first, by the question as docs/faq.md has it, and where the whole answer is.
QUESTIONS = {
    "Does it work on my Ubuntu VPS?": "tested.md",
    "Can I use PostgreSQL?": "databases.md",
    "My site already runs by the tutorial. How do I move it, with its data?": "from-the-tutorial.md",
    "What will it do to my server?": "../README.md",
    "Where does my `.env` go?": "settings.md",
    "How do I keep secrets out of git?": "settings.md",
    "My repository is private.": "settings.md",
    "Must gunicorn and PyMySQL be in my requirements?": "",
    "Where are the logs, and which of blue and green is live?": "day-to-day.md",
    "How do I run a flask command, a shell, a database shell?": "day-to-day.md",
    "How do I deploy the newest commit?": "updates.md",
    "How do I get a real certificate, and add www?": "settings.md",
    "How much memory do I need, and which server size?": "raspberry-pi.md",
    "Redis, RabbitMQ, Elasticsearch; RQ, Celery?": "services.md",
    "Scheduled jobs?": "services.md",
    "Deploying from GitHub Actions?": "ci.md",
    "Which Python, and how do I choose another?": "requirements.md",
    "It failed. What now?": "troubleshooting.md",
    "How do I try it without risking a server?": "",
    "How do I upgrade the collection?": "",
    "How do I get rid of it?": "remove.md",
    "WebSockets, Server-Sent Events?": "proxy.md",
    "A build by npm, Tailwind, Flask-Assets?": "builds.md",
    "A staging site?": "inventory.md",
    "I have lost my ssh key.": "settings.md",
    "Mail that ends in spam?": "settings.md",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_people_ask_first_is_two_clicks_away(question):
    assert TOP / "docs/faq.md" in [(lead(PAGES[0], link) or [None])[0] for link in links(PAGES[0])]
    answers = (TOP / "docs/faq.md").read_text(encoding="utf-8").split("**" + question + "** ")
    assert len(answers) == 2
    answer = answers[1].split("\n\n**")[0].split("\n\n## ")[0]
    assert len(answer) > 5 and f"({QUESTIONS[question]}" in answer if QUESTIONS[question] else len(answer) > 50


SITE = TOP / "mkdocs.yml"


def test_each_page_has_its_place_on_the_site():
    listed = re.findall(r"([\w-]+\.md)$", SITE.read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(["index.md", *(path.name for path in TOP.glob("docs/*.md"))])


MESSAGES = re.compile(r"<!-- begin messages:.*?<!-- end messages -->", re.S)  # they are the code's

# What is not said here, and what is.
VOCABULARY = {
    r"\bt(?:ak(?:en?|es|ing)|ook)(?: \w+){0,3} back\b": "roll back, undo, revert",
    r"\bbr(?:ought|ing(?:s|ing)?)(?: \w+){0,3} back\b": "restore",
    r"\banew\b": "again, regenerate, renew, restart",
    r"\b(?:is|are|was|were|be|all|ends|ended) well\b|\| well\b": "healthy, works, succeeded",
    r"\bl(?:eads?|eading|ed) (?:to|elsewhere|nowhere|back|out|visitors)\b": "resolve (a name), redirect (a URL), link, point",
    r"\bwhere (?: is|each|there is|that is|the inventory|a \w+ is|one \w+ is)\b": "if",
    r"(?:^|[.;|] )Else\b": "Otherwise",
    r"(?:^|[.|] )Who (?:knows|registers|runs|has|comes|wants)\b": "Whoever",
    r"\bwho guess(?:es)? passwords\b": "password guessers",
    r"\bfor ever\b": "forever",
    r"\bloose\b its|\bits? self\b": "lose, itself",
    r"\bthis very\b|\bthese very\b": "this, the same",
    r"\b(?:master|slave)s?\b": "primary, replica",
    r"\bwhitelist|\bblacklist": "allowed, refused",
}


@pytest.mark.parametrize("page", [path for path in PAGES if path.name != "decisions.md"], ids=lambda path: str(path.relative_to(TOP)))
def test_a_page_has_the_words_that_everybody_uses(page):
    text = CODE.sub("", MESSAGES.sub("", page.read_text(encoding="utf-8")))
    found = {match[0]: right for wrong, right in VOCABULARY.items() for match in re.finditer(wrong, text, re.M)}
    assert found == {}


@pytest.mark.parametrize("text", [
    "the host takes the change back", "an update that takes the database back", "the copy is brought back", "Debian is well",
    "a name that leads to it", "runs where `flask_x` is set", "It is there. Else it is made.", "| works | well |",
])
def test_the_vocabulary_finds_what_nobody_says(text):
    assert any(re.search(wrong, CODE.sub("", text), re.M) for wrong in VOCABULARY)


@pytest.mark.parametrize("text", ["it takes a backup", "say where it is", "go back", "as well as this", "the lead", "or else"])
def test_the_vocabulary_leaves_the_rest_alone(text):
    assert not any(re.search(wrong, text, re.M) for wrong in VOCABULARY)
