# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

FOLDER = "shop/translations/es/LC_MESSAGES/"


def summary(result):
    assert "failed" not in result, result["msg"]
    return result["changed"], result["compiled"]


def check_run_and_run_again(run, release):
    """Whether it is stale, and then no more."""
    first = [run("flask_translate", _ansible_check_mode=True, **release.arguments()),
             run("flask_translate", **release.arguments())]
    for check in (True, False):
        again = run("flask_translate", _ansible_check_mode=check, **release.arguments())
        assert summary(again) == (False, [])
    assert summary(first[0]) == summary(first[1])
    return summary(first[1])


def test_check_then_run_then_run_again(run, release):
    assert check_run_and_run_again(run, release) == (True, [FOLDER + "messages.mo"])
    assert b"Hola" in (release.path / FOLDER / "messages.mo").read_bytes()


@pytest.mark.needs_root
def test_a_command_in_the_sandbox_finds_the_programs_of_the_environment(run, release, tmp_path):
    (tmp_path / "shared").mkdir()
    result = run("flask_translate", user="root", root=str(tmp_path), **release.arguments())
    assert summary(result) == (True, [FOLDER + "messages.mo"])
    assert result["compiler"] == "command"


def test_another_text_counts_and_the_time_does_not(run, release):
    run("flask_translate", **release.arguments())
    source, compiled = release.path / FOLDER / "messages.po", release.path / FOLDER / "messages.mo"
    os.utime(source, (2**31 - 1, 2**31 - 1))
    assert check_run_and_run_again(run, release) == (False, [])
    source.write_text(source.read_text().replace("Hola", "Buenas"))
    os.utime(source, (0, 0))
    assert check_run_and_run_again(run, release) == (True, [FOLDER + "messages.mo"])
    assert b"Buenas" in compiled.read_bytes()


def test_fuzzy_texts_and_plurals(run, release):
    with open(release.path / FOLDER / "messages.po", "a", encoding="utf-8") as source:
        source.write('\n#, fuzzy\nmsgid "Bye"\nmsgstr "Adios"\n\nmsgctxt "shop"\nmsgid "one"\nmsgid_plural "%d"\n'
                     'msgstr[0] "uno"\nmsgstr[1] "%d"\n\n#~ msgid "Old"\n#~ msgstr "Viejo"\n')
    assert check_run_and_run_again(run, release)[0]


def test_a_catalogue_that_is_fuzzy_as_a_whole_is_left(run, release):
    source = release.path / FOLDER / "messages.po"
    source.write_text("#, fuzzy\n" + source.read_text())
    assert check_run_and_run_again(run, release) == (False, [])


@pytest.mark.parametrize("app, reason", [
    ("plain:app", "plain:app has no command `flask translate compile`."),
    ("broken:app", "broken:app can't be loaded without its data."),
    ("shop:nothing", "shop:nothing can't be loaded without its data."),
])
def test_what_the_application_does_not_compile_babel_does(app, reason, run, release):
    with open(release.path / FOLDER / "messages.po", "a", encoding="utf-8") as source:
        source.write('\nmsgid "one"\nmsgid_plural "%d"\nmsgstr[0] "uno"\nmsgstr[1] "%d"\n')
    result = run("flask_translate", **release.arguments(app))
    assert summary(result) == (True, [FOLDER + "messages.mo"])
    assert (result["compiler"], result["reason"]) == ("babel", reason)
    assert b"Hola" in (release.path / FOLDER / "messages.mo").read_bytes()
    assert summary(run("flask_translate", **release.arguments(app))) == (False, [])


def test_a_catalogue_that_cannot_be_compiled(run, release):
    release.write("shop/__init__.py", (release.path / "shop/__init__.py").read_text().replace(
        "pybabel compile", "pybabel nothing"))
    result = run("flask_translate", **release.arguments())
    assert result["failed"] and "`flask translate compile` ended with exit code 1" in result["msg"]


def test_catalogues_of_others_are_left(run, release, warnings):
    for folder in ("docs/locale", "node_modules/x"):
        release.write(folder + "/es/LC_MESSAGES/other.po", 'msgid "a"\nmsgstr "b"\n')
    result = run("flask_translate", **release.arguments())
    assert summary(result) == (True, [FOLDER + "messages.mo"])
    assert "docs/locale/es/LC_MESSAGES/other.po" in warnings[0]
    assert summary(run("flask_translate", **release.arguments(directory="shop"))) == (False, [])
