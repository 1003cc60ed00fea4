"""Commands in a virtual machine, by the guest agent of QEMU's: neither a network nor a login."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .machine import TestHostError

ANSWER = 30  # seconds in which the agent answers, but for the time that a command takes
MARK = b"\xff"  # comes before the first answer to who has connected


class Agent:
    """The agent of a machine, at the socket that QEMU has for it; it has one visitor at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, command: str, **arguments: object) -> dict:
        """Send one command, and return what comes back; OSError is that nobody answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER)
            connection.connect(str(self.path))
            mine = int.from_bytes(os.urandom(4), "big")
            connection.sendall(MARK + _line("guest-sync-delimited", {"id": mine}))
            said = connection.makefile("rb")
            while f'"return": {mine}}}' not in _heard(said):
                pass  # answers that somebody before did not wait for
            connection.sendall(_line(command, arguments))
            answer = json.loads(_heard(said))
        if "error" in answer:
            raise TestHostError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def run(
        self, command: Sequence[str], stdin: bytes = b"", timeout: float = 120
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as root, and return what it said when it has ended."""
        begun = self.ask(
            "guest-exec", path=command[0], arg=list(command[1:]),
            **{"input-data": base64.b64encode(stdin).decode(), "capture-output": True},
        )
        end, pause = time.monotonic() + timeout, 0.05
        while not (done := self.ask("guest-exec-status", pid=begun["pid"]))["exited"]:
            if time.monotonic() > end:
                raise TestHostError(f"{' '.join(command[:8])}: no end after {timeout:.0f} s")
            time.sleep(pause)
            pause = min(2 * pause, 1)
        out, err = (base64.b64decode(done.get(f"{name}-data", "")) for name in ("out", "err"))
        code = done.get("exitcode", 128 + done.get("signal", 0))
        return subprocess.CompletedProcess(command, code, out, err)


def _line(command: str, arguments: dict) -> bytes:
    return json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"


def _heard(said: object) -> str:
    line = said.readline()
    if not line:
        raise ConnectionError("the machine's agent hung up")
    return line.rpartition(MARK)[2].decode()
