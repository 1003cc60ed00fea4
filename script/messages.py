"""The messages that the collection can fail or warn with, as its code has them; script/docs makes a table of them.

A message is a text of the plugins that is raised, failed or warned with, or that reads as a sentence, and in the roles and
playbooks what `fail`, `assert` and the checks of variables say. Values are shown as `…`. Advice that the code has by itself
is joined with what it is given for: the pattern beside it, or the message of its file that ends with a value for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

TOP = Path(__file__).resolve().parents[1]
PACKAGE = "ansible_collections.selfhost.flask."
VALUE = re.compile(r"%(?:\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[diouxefgcrs]|\{\d?\}|\{\{.*?\}\}|\{%.*?%\}", re.S)
WORD = re.compile(r"[^\W\d_]{2,}")
SENTENCE = re.compile(r"(?:[A-Z…`'-]|[a-z]+_[a-z_]+ ).*\w.*[.?](?:\s|$)", re.S)
PROGRAM = re.compile(r"\$\(|\(\?:|^---|\$selfhost\$")  # a script, an expression or a file
STATE = re.compile(r"(?:Nothing|No file) was (?:changed|written)[^.]*\.")
NO_MESSAGES = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
NOT, WARNS, ENDS = range(3)  # whether a text is said, and whether the run ends by it
SAYING = {"fail_json": ENDS, "warn": WARNS, "warning": WARNS}
SAID_BY = {"msg", "problem", "fail_msg", "message"}
# Which part of the page has the messages of which files, by the beginnings of their paths.
SECTIONS = {
    "Variables and the inventory":
        "roles/flask plugins/action/flask_preflight plugins/plugin_utils/_variable plugins/plugin_utils/_confirmation "
        "plugins/plugin_utils/_cron plugins/plugin_utils/_parts plugins/filter plugins/lookup",
    "A new project":
        "plugins/action/flask_project plugins/plugin_utils/_project plugins/plugin_utils/_discovery",
    "The login":
        "plugins/action/ssh_login plugins/plugin_utils/_names plugins/plugin_utils/_host plugins/module_utils/login",
    "sshd, the firewall and the administrators":
        "plugins/module_utils/access plugins/modules/host_a roles/hardening roles/fail2ban",
    "Packages, files and services":
        "plugins/module_utils/host plugins/modules/host_packages plugins/modules/config_files "
        "plugins/action/config_files plugins/action/host_packages plugins/module_utils/common roles/base roles/system "
        "roles/postfix",
    "The certificate":
        "plugins/module_utils/certificate plugins/modules/flask_certificate roles/tls",
    "The web server":
        "plugins/module_utils/proxy roles/nginx roles/socket",
    "The source":
        "plugins/module_utils/build/git plugins/module_utils/build/large plugins/module_utils/build/submodules "
        "plugins/module_utils/build/bundle plugins/plugin_utils/_local plugins/plugin_utils/_source "
        "plugins/modules/flask_release",
    "Requirements and builds":
        "plugins/module_utils/build plugins/modules/flask_venv plugins/modules/flask_build",
    "The application and its settings":
        "plugins/module_utils/flask plugins/module_utils/shared plugins/modules/flask_command "
        "plugins/modules/flask_translate plugins/modules/flask_db plugins/modules/dotenv plugins/modules/flask_plan "
        "plugins/module_utils/plan roles/app",
    "Databases and services":
        "plugins/module_utils/database plugins/modules/mysql_data plugins/modules/postgresql_database roles/mysql "
        "roles/postgresql roles/external roles/none roles/redis roles/elasticsearch",
    "Deploying, going back and restarting":
        "plugins/module_utils/deployment plugins/module_utils/site plugins/module_utils/process "
        "plugins/modules/flask_deployment plugins/modules/flask_rollback plugins/modules/flask_session "
        "plugins/modules/flask_maintenance plugins/modules/flask_info plugins/action/flask_session roles/deployment "
        "playbooks",
    "Backups":
        "plugins/module_utils/backup plugins/modules/flask_backup roles/backup",
    "Moving an installation by hand":
        "plugins/module_utils/adoption plugins/modules/flask_adoption roles/adoption",
    "Removing an application":
        "plugins/module_utils/removal plugins/modules/flask_removal roles/removal",
}
OTHER = "Other messages"
FINDINGS = ("plugins/module_utils/doctor",)  # they are on the doctor's page


class Message(NamedTuple):
    """What is said, and the file that says it."""

    text: str
    source: str
    ends: bool  # it is raised, or a task or a module fails with it


def plain(text: str) -> str:
    """A text with `…` for its values, and with its line breaks."""
    lines = (" ".join(line.split()) for line in VALUE.sub("…", text).replace("%%", "%").splitlines())
    return "\n".join(re.sub(r"…(?:[ ,]*…)+", "…", line) for line in lines).strip()


def folded(node: ast.AST | None, names: dict) -> str:
    """The text of an expression, as far as the code has it; empty if it has none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(folded(part, names) or "…" for part in node.values)
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        values = iter(node.right.elts if isinstance(node.right, ast.Tuple) else [node.right])
        return VALUE.sub(lambda dummy: folded_name(next(values, None), names), folded(node.left, names))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = folded(node.left, names), folded(node.right, names)
        return (left or "…") + (right or "…") if left or right else ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return VALUE.sub("…", folded(node.func.value, names))
    return ""


def folded_name(node: ast.AST | None, names: dict) -> str:
    """The text of a value that has a name in the code."""
    return VALUE.sub("…", names.get(node.id, "…")) if isinstance(node, ast.Name) else "…"


class Reader(ast.NodeVisitor):
    """Collects the messages of a file."""

    def __init__(self, names: dict) -> None:
        self.names, self.found, self.said, self.beside = names, [], NOT, ""

    def visit(self, node: ast.AST) -> None:
        text = plain(folded(node, self.names))
        if not text:
            super().visit(node)
        elif (self.said or not isinstance(node, ast.Name)) and is_message(text, self.said):
            self.found.append((joined(self.beside, text), self.said == ENDS))
        if text and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            self.visit_as(NOT, node.right)  # what is put into a message may have words of its own

    def visit_Tuple(self, node: ast.Tuple) -> None:
        """What somebody else says, such as ssh, and what is said of that."""
        self.visit_beside(node.elts[0] if node.elts else None, node.elts[1:])

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values):
            self.visit_beside(key, [value])

    def visit_beside(self, pattern: ast.AST | None, others: list) -> None:
        if pattern:
            self.visit(pattern)
        before = self.beside
        if isinstance(pattern, ast.Constant) and isinstance(pattern.value, str):
            self.beside = read_pattern(pattern.value)
        for other in others:
            self.visit(other)
        self.beside = before

    def visit_Expr(self, node: ast.Expr) -> None:
        """A docstring is for developers."""
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id in NO_MESSAGES for target in node.targets):
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        for part in filter(None, (node.exc, node.cause)):
            self.visit_as(ENDS, part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Of a function that puts exceptions into words, each text."""
        before, self.said = self.said, WARNS if node.name == "said" else NOT
        self.generic_visit(node)
        self.said = before

    def visit_Call(self, node: ast.Call) -> None:
        by_name = SAYING.get(node.func.attr, NOT) if isinstance(node.func, ast.Attribute) else NOT
        works = isinstance(node.func, ast.Attribute) and node.func.attr == "exit_json"
        for part in [node.func, *node.args, *node.keywords]:
            by_option = ENDS if isinstance(part, ast.keyword) and part.arg in SAID_BY and not works else NOT
            self.visit_as(self.said or by_name or by_option, part)

    def visit_as(self, said: int, node: ast.AST) -> None:
        """Visits what is said, or not."""
        before, self.said = self.said, said
        self.visit(node)
        self.said = before


def read_pattern(pattern: str) -> str:
    """A text that a pattern fits; empty if that can't be told."""
    text = re.sub(r"\\(\W)", r"\1", pattern.split("|")[0])
    return "" if re.search(r"[\[\](){}*+?^$\\]", text) else text


def joined(beside: str, text: str) -> str:
    """A text; with what it is given for, if it is advice alone."""
    return f"`{beside}`\n{text}" if beside and not split(text)[0] else text


def is_message(text: str, said: int) -> bool:
    """Whether a text says something to a person: whatever is raised does, and else what reads as a sentence."""
    words = len(WORD.findall(STATE.sub("", text)))
    return not PROGRAM.search(text) and (words > 2 if said else words > 3 and bool(SENTENCE.match(text)))


def constants(tree: ast.Module, others: dict) -> dict:
    """The texts that a file has by names, its own and imported ones."""
    names = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            known = others.get(node.module.removeprefix(PACKAGE).replace(".", "/") + ".py", {})
            names.update({alias.asname or alias.name: known[alias.name] for alias in node.names if alias.name in known})
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = folded(node.value, names)
    return {name: text for name, text in names.items() if text}


def of_python() -> Iterator[Message]:
    trees = {str(path.relative_to(TOP)): ast.parse(path.read_text()) for path in sorted(TOP.glob("plugins/**/*.py"))}
    own = {name: constants(tree, {}) for name, tree in trees.items()}
    for name, tree in trees.items():
        reader = Reader(constants(tree, own))
        reader.visit(tree)
        yield from (Message(text, name, said) for text, said in reader.found)


class YAML(yaml.SafeLoader):
    """What is encrypted or unsafe is no message."""


YAML.add_multi_constructor("!", lambda loader, suffix, node: None)


def of_yaml() -> Iterator[Message]:
    for pattern in ("roles/*/tasks/*.yml", "roles/*/vars/*.yml", "playbooks/*.yml"):
        for path in sorted(TOP.glob(pattern)):
            for text, said in spoken(yaml.load(path.read_text(), YAML)):
                yield Message(plain(text), str(path.relative_to(TOP)), said)


def spoken(value: object, said: bool = False) -> Iterator[tuple[str, bool]]:
    """The texts of some YAML that are said: by `fail` and `assert`, by a check, and by variables that read as sentences."""
    if isinstance(value, list):
        for item in value:
            yield from spoken(item, said)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("ansible.builtin.debug", "name", "text", "__deployment_said"):  # nothing has failed
                yield from spoken(inner, key in SAID_BY)
    elif isinstance(value, str) and is_message(plain(value), said):
        yield value, said


OPEN = re.compile(r"[.\n…]\s…$")  # a message that ends with another one
START = re.compile(r"(?<=[.?…]) (?=[A-Z`]|flask-)|\n")  # of a sentence
DO = (
    "Add Allow Answer Ask Call Change Check Choose Close Commit Compare Copy Correct Create Deploy Downgrade Enable End Find "
    "Fix Get Give Have Install Keep Leave Let Log Lower Look Make Merge Move Name Open Point Publish Push Put Raise Read "
    "Remove Rename Renew Repeat Restart Restore Run Save See Set Start Stop Tag Take Try Turn Type Unmount Update Use Wait Write"
).split()
VERBS, VERBS_WITHIN = "|".join(DO), "|".join(DO).lower()
ADVICE = re.compile(
    rf"(?:{VERBS})\b|(?:Then|Or|Please|First),? (?:{VERBS_WITHIN})\b|Before you |`sudo "
    r"|(?:If|For|With|Without|When|Where|On|Until|Unless|By|Once|Else|In) .*[,:;] "
    rf"(?:then |also )?(?:{VERBS_WITHIN})\b|To .*, (?:{VERBS_WITHIN})\b"
    rf"|(?P<what>[^.?\n]*)[:;] (?:and |or |then )?(?:{VERBS_WITHIN}|sudo)\b"
)


def split(text: str) -> tuple[str, str]:
    """What happened, and what to do, which begins with the first sentence that tells somebody to do something.

    If that is all, but for a colon within the sentence, what follows the colon is to be done.
    """
    starts = [0, *(match.end() for match in START.finditer(text))]
    advice = next(filter(None, (ADVICE.match(text, start) for start in starts)), None)
    if not advice:
        return text.strip(), ""
    if not advice.start() and advice["what"]:
        rest = text[advice.end("what") + 1:].strip()
        return advice["what"] + ".", rest[0].upper() + rest[1:]
    return text[:advice.start()].strip(), text[advice.start():]


def with_advice(found: list[Message]) -> list[Message]:
    """The messages of a file. One that ends with a value gets the advice that the file has by itself, which may be that value."""
    alone = [one.text for one in found if not split(one.text)[0]]
    return [
        one._replace(text="\n".join([re.sub(r"\s…$", "", one.text), *alone]))
        if alone and OPEN.search(one.text) and not split(one.text)[1] else one
        for one in found if split(one.text)[0]
    ]


def messages() -> dict[str, list[Message]]:
    """Those of each section, each text once."""
    found = {title: [] for title in [*SECTIONS, OTHER]}
    by_file = {}
    for message in [*of_python(), *of_yaml()]:
        by_file.setdefault(message.source, []).append(message)
    said = {}
    for source, own in by_file.items():
        for message in [] if source.startswith(FINDINGS) else with_advice(own):
            said.setdefault(message.text, message)
    for text, message in said.items():
        if not any(text in other and text != other for other in said):  # a part of another one
            found[section_of(message.source)].append(message)
    return {title: section for title, section in found.items() if section}


def section_of(source: str) -> str:
    """The longest name that fits decides."""
    fitting = [(len(name), title) for title, names in SECTIONS.items() for name in names.split() if source.startswith(name)]
    return max(fitting, default=(0, OTHER))[1]
