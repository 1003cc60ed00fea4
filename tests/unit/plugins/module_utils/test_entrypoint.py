# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.flask.entrypoint import EntrypointError, check_entrypoint

FACTORY = "def create_app():\n    app = object()\n    return app\n"

# the entrypoint, the file that has it, and its source
RIGHT = {
    "a name": ("blog:app", "blog.py", "app = object()\n"),
    "a name with a type": ("blog:app", "blog.py", "app: object = object()\n"),
    "one of several": ("blog:app", "blog.py", "app, db = object(), object()\n"),
    "an imported name": ("blog:app", "blog.py", "from web import application as app\n"),
    "an imported module": ("blog:web", "blog.py", "import web.views\n"),
    "perhaps among all of another module": ("blog:app", "blog.py", "from web import *\n"),
    "a name that depends on something": (
        "blog:app", "blog.py", "try:\n    import x\nexcept ImportError:\n    if 1:\n        app = 1\n",
    ),
    "a name that a function makes global": (
        "blog:app", "blog.py", "def make():\n    global app\n    app = object()\n",
    ),
    "a factory": ("blog:create_app()", "blog.py", FACTORY),
    "a factory with arguments": ("blog:create_app('production')", "blog/__init__.py", FACTORY),
    "a package": ("web.blog:app", "web/blog/__init__.py", "app = object()\n"),
    "a module in a package": ("web.blog:app", "web/blog.py", "app = object()\n"),
    "a source for a newer Python": ("blog:app", "blog.py", "match this case that: app = 1\n"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_an_entrypoint_that_can_be_right_passes(case, tmp_path):
    entrypoint, name, source = RIGHT[case]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(source)
    check_entrypoint(entrypoint, str(tmp_path))


@pytest.mark.parametrize("entrypoint, named", [
    ("other:app", "neither other.py nor other/__init__.py"),
    ("blog.web:app", "neither blog/web.py nor blog/web/__init__.py"),
    ("blog:application", "blog.py defines no 'application'; it defines config, create_app, os"),
    ("blog:app", "blog.py defines no 'app'"),
    ("blog:make_app()", "defines no 'make_app'"),
])
def test_one_that_cannot_be_right_is_refused_with_what_there_is(entrypoint, named, tmp_path):
    (tmp_path / "blog.py").write_text("import os\nconfig = {}\n" + FACTORY)
    with pytest.raises(EntrypointError) as error:
        check_entrypoint(entrypoint, str(tmp_path))
    assert named in str(error.value)
    assert "Set flask_entrypoint to" in str(error.value)


@pytest.mark.parametrize("path", ["wsgi.py", "./wsgi.py", "wsgi/__init__.py"])
def test_a_module_that_is_written_later_is_not_looked_for(path, tmp_path):
    check_entrypoint("wsgi:app", str(tmp_path), ["settings.py", path])
    with pytest.raises(EntrypointError, match="flask_config_files"):
        check_entrypoint("wsgi:app", str(tmp_path), ["settings.py"])


def test_an_empty_module_is_said_to_define_nothing(tmp_path):
    (tmp_path / "blog.py").touch()
    with pytest.raises(EntrypointError, match="it defines nothing"):
        check_entrypoint("blog:app", str(tmp_path))


def test_the_source_is_not_run(tmp_path):
    (tmp_path / "blog.py").write_text("open('was_here', 'w')\nraise SystemExit\napp = 1\n")
    check_entrypoint("blog:app", str(tmp_path))
    assert not (tmp_path / "was_here").exists()
