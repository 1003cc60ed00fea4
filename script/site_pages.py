"""Adds the README and the roles' pages to the site, and has links lead to where they are there; a hook of mkdocs."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.config_options import ExtraScriptValue
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TOP = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/selfhost/flask/blob/main/"
# What is read from Galaxy or from an installed collection has absolute links to the repository: `[x](URL)`, or `[x]: URL`.
OWN = r"https://(?:github\.com/selfhost/flask/(?:blob|tree)|raw\.githubusercontent\.com/selfhost/flask)/main/"
LINK = re.compile(rf"(\]\(|^\[[^\]\n]+\]: )({OWN})?([^)\s:#]+)((?:#[^)\s]*)?(?:\)|$))", re.M)
ITEM = re.compile(r"- |\d\. ")
FETCHED = re.compile(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=[\"']?https?://[^>]*>")
ROLES = {f"roles/{path.parent.name}.md": path for path in sorted(TOP.glob("roles/*/README.md"))}
ADDED = {"index.md": TOP / "README.md", **ROLES}


SHIM = "javascripts/iframe-worker.js"  # what lets the search work in a page that was opened from a folder


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The search's helper comes with the site: nothing is fetched from elsewhere."""
    config.extra["polyfills"] = [script for script in config.extra.get("polyfills", []) if "iframe-worker" not in str(script)]
    config.extra["polyfills"].append(ExtraScriptValue(SHIM))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are not in docs/."""
    for name, path in ADDED.items():
        files.append(File.generated(config, name, content=path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **ignored: object) -> str:
    """A page whose links are right on the site; what is not on it is in the repository."""
    uri = page.file.src_uri
    source = ADDED[uri].relative_to(TOP).as_posix() if uri in ADDED else "docs/" + uri
    here = posixpath.dirname(source)

    def on_site(match: re.Match) -> str:
        path = match[3] if match[2] else posixpath.normpath(posixpath.join(here, match[3]))
        return match[1] + place(path, uri) + match[4]

    return LINK.sub(on_site, with_deeper_lists(markdown))


def with_deeper_lists(markdown: str) -> str:
    """What belongs to an item of a list, in four columns: GitHub takes fewer, the site's Markdown would end the list there."""
    lines, width, is_code = [], 0, False
    for line in markdown.split("\n"):
        is_code ^= line.startswith("```")
        if ITEM.match(line) and not is_code:
            width = len(ITEM.match(line)[0])
        elif width and line.startswith(" " * width):
            line = " " * (4 - width) + line
        elif line:
            width = 0
        lines.append(line)
    return "\n".join(lines)


def on_post_page(output: str, page: Page, **ignored: object) -> str:
    """Refuses a page that fetches something from elsewhere when it is opened."""
    found = FETCHED.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri} fetches from elsewhere: {found[0]}")
    return output


def place(path: str, uri: str) -> str:
    """Where something of the repository is, seen from a page of the site."""
    role = re.fullmatch(r"roles/(\w+)(/README\.md)?", path)
    if path.startswith("docs/"):
        target = path.removeprefix("docs/")
    elif path == "README.md":
        target = "index.md"
    elif role and f"roles/{role[1]}.md" in ROLES:
        target = f"roles/{role[1]}.md"
    else:
        return REPOSITORY + path
    return posixpath.relpath(target, posixpath.dirname(uri) or ".")
