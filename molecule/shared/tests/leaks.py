"""Where a secret comes to light: in the arguments of processes, and in files."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

from machine import TESTHOST, Machine

# Ends with its input, also where the test that watches is killed.
SAMPLER = """
import glob, select, sys
seen = set()
while not select.select([sys.stdin], [], [], 0.01)[0]:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                seen.add(file.read().replace(b"\\0", b" "))
        except OSError:
            pass
sys.stdout.buffer.write(b"\\n".join(seen))
"""
# As nobody: a file that everybody may read in a folder that nobody may enter is none.
SEARCH = """
cd / && ls -A | grep -vxE 'proc|sys' | sed 's,^,/,' >/run/searched
runuser -u nobody -- xargs --arg-file /run/searched grep -rlsF --devices=skip --file=- || [ $? = 123 ]
"""


class Arguments:
    """Samples the command lines of all processes of a host, about 80 times a second."""

    def __init__(self, machine: Machine) -> None:
        self.argv = [sys.executable, str(TESTHOST), "exec", machine.name, "--", "python3", "-c", SAMPLER]
        self.seen = ""

    def __enter__(self) -> Arguments:
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.seen = self.process.communicate(timeout=30)[0]


def readable_by_everybody(machine: Machine, words: list[str]) -> list[str]:
    """The files of a host that show one of the words to any of its users."""
    answer = machine.inside(SEARCH, stdin="\n".join(words))
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()
