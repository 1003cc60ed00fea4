# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

ES = "blog/translations/es/LC_MESSAGES/messages"
FR = "blog/translations/fr/LC_MESSAGES/messages"


@pytest.fixture
def catalogues(release):
    """Two catalogues of the application, and one that is none of its own."""
    for path in (ES, FR, ".venv/lib/LC_MESSAGES/other", "node_modules/x/LC_MESSAGES/other"):
        (release / path).parent.mkdir(parents=True)
        (release / (path + ".po")).touch()
    return release


def state(*stale, available=True, skipped=()):
    return dict(stale=[path + ".po" for path in stale], available=available, skipped=list(skipped))


MISSING = (2, "", "Usage: flask [OPTIONS] COMMAND\nError: No such command 'translate'.")
NONE = state(ES, FR, available=False)

LOADS_NOT = {"problem": "no database"}
BY_BABEL = {"compiled": [ES + ".po", FR + ".po"]}

# check mode, what the application and the commands answer, whether the command ran, changed, compiled
CASES = {
    "stale": (False, [state(ES, FR), (0, "", ""), state()], True, True, [ES, FR]),
    "current": (False, [state()], False, False, []),
    "stale in check mode": (True, [state(ES)], False, True, [ES]),
    "no such command": (False, [state(ES, FR), MISSING, NONE, BY_BABEL], True, True, [ES, FR]),
    "not without its database": (False, [state(ES, FR), (1, "", ""), LOADS_NOT, BY_BABEL], True, True, [ES, FR]),
    "neither command nor Babel": (False, [state(ES, FR), MISSING, NONE, {"compiled": []}], True, False, []),
    "compiles only some": (False, [state(ES, FR), (0, "", ""), state(FR)], True, True, [ES]),
}


@pytest.mark.parametrize("case", CASES)
def test_compiles_what_is_stale(case, run, commands, catalogues):
    check, answers, ran, changed, compiled = CASES[case]
    commands.expect(*answers)
    result = run("flask_translate", chdir=str(catalogues), app="blog:app", _ansible_check_mode=check)
    assert (result["changed"], result["compiled"]) == (changed, [path + ".mo" for path in compiled])
    flask = [argv[1:] for argv in commands.argv if argv[0].endswith("flask")]
    assert flask == ([["translate", "compile"]] if ran else [])
    assert not commands.answers


@pytest.mark.parametrize("answer, reason", [
    (NONE, "blog:app has no command `flask translate compile`."),
    (LOADS_NOT, "blog:app can't be loaded without its data."),
])
def test_it_is_said_why_babel_compiles_them(answer, reason, run, commands, catalogues):
    commands.expect(state(ES, FR), MISSING, answer, BY_BABEL)
    result = run("flask_translate", chdir=str(catalogues), app="blog:app")
    assert (result["compiler"], result["reason"]) == ("babel", reason)


def test_it_is_said_that_nothing_can_compile_them(run, commands, catalogues, warnings):
    commands.expect(state(ES), MISSING, NONE, {"compiled": []})
    assert run("flask_translate", chdir=str(catalogues), app="blog:app")["available"] is False
    assert "Babel is not installed" in warnings[0] and ES + ".po stay as they are. Set app_extra_packages to [Babel]" in warnings[0]


def test_another_user_runs_it_in_a_sandbox(run, commands, catalogues):
    commands.expect(state(ES), (0, "", ""), state())
    run("flask_translate", chdir=str(catalogues), app="blog:app", user="daemon", root="/srv/blog")
    for argv in commands.argv:
        words = " ".join(argv)
        assert "unshare --mount --net -- " in words and " discard /srv/blog/shared " in words
        assert " -u daemon -- %s/.venv/bin/" % catalogues in words


@pytest.mark.parametrize("check", [False, True])
def test_the_application_is_not_loaded_to_see_what_is_stale(check, run, commands, catalogues):
    commands.expect(state())
    run("flask_translate", chdir=str(catalogues), app="blog:app", _ansible_check_mode=check)
    question = '{"catalogues": ["%s.po", "%s.po"], "command": []}' % (ES, FR)
    assert commands.argv == [[str(catalogues / ".venv/bin/python"), "-", "translations", question]]


def test_starts_nothing_where_there_are_no_catalogues(run, commands, release):
    result = run("flask_translate", chdir=str(release), app="blog:app")
    assert (result["changed"], result["compiled"], commands.argv) == (False, [], [])


def test_another_command_and_folder(run, commands, catalogues):
    commands.expect(state(FR), (0, "", ""), state())
    other = dict(command=["i18n", "build"], directory="blog/translations/fr")
    run("flask_translate", chdir=str(catalogues), app="blog:app", **other)
    assert commands.argv[0][3] == '{"catalogues": ["%s.po"], "command": []}' % FR
    assert commands.argv[1] == [str(catalogues / ".venv/bin/flask"), "i18n", "build"]


@pytest.mark.parametrize("answers, text", [
    ([state(ES), (1, "", "bad plural"), state(ES)], "`flask translate compile` ended with exit code 1"),
    ([state(ES), (0, "", ""), state(ES)], "compiled none of " + ES),
])
def test_a_release_without_its_translations_fails(answers, text, run, commands, catalogues):
    commands.expect(*answers)
    result = run("flask_translate", chdir=str(catalogues), app="blog:app")
    assert result["failed"] and text in result["msg"]


def test_warns_of_a_catalogue_that_is_fuzzy_as_a_whole(run, commands, warnings, catalogues):
    commands.expect(state(skipped=[ES + ".po"]))
    run("flask_translate", chdir=str(catalogues), app="blog:app")
    assert "fuzzy" in warnings[0]
