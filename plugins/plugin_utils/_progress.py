# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module does on the host while it runs, for the person who waits for it."""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
import time
from typing import TYPE_CHECKING

from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.selfhost.flask.plugins.module_utils.site.progress import FILE, FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible.plugins.action import ActionBase

INTERVAL = 10  # seconds
ASK = "echo $(($(date +%%s) - $(stat -c %%Y %(path)s))); tail -n 1 %(path)s"
display = Display()


def progress_of(action: ActionBase, task_vars: dict) -> contextlib.AbstractContextManager:
    """The steps of a module that changes what is served; the application is its option `name`."""
    path = os.path.join(FOLDER, FILE % action._task.args.get("name"))
    return shown_progress(action, task_vars["inventory_hostname"], path)


@contextlib.contextmanager
def shown_progress(
    action: ActionBase, host: str, path: str, words: Callable[[str], str] = str.strip, interval: float = INTERVAL
) -> Iterator[None]:
    """Shows the last line of a file on the host every so many seconds, in these words, until the block ends.

    A module that ends earlier costs nothing: nobody asks the host before. A line from before the block says nothing of it.
    The user who has logged in asks, without sudo, whose state the module's own command has.
    """
    ended, begun = threading.Event(), time.monotonic()
    command = ASK % {"path": shlex.quote(path)}

    def ask() -> None:
        while not ended.wait(interval):
            with contextlib.suppress(AnsibleError, OSError):  # the module's own connection says what is wrong
                said = action._low_level_execute_command(command, sudoable=False)
                seconds = time.monotonic() - begun
                age, line = [*said["stdout"].splitlines(), "", ""][:2]  # a terminal ends them by a carriage return as well
                is_known = said["rc"] == 0 and age.lstrip("-").isdigit() and int(age) - 1 <= seconds  # age: of whole seconds
                if not ended.is_set():
                    display.display("%s: %s (%d s)" % (host, words(line if is_known else "") or "At work", seconds))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
