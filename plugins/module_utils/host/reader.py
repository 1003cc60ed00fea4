# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PATH: prints a file, if it is a regular one and no larger than LIMIT. A user's files are read so as that user."""

from __future__ import annotations

import os
import stat
import sys

LIMIT = 1 << 20  # bytes; no file of settings has as many
NO_FILE = 3  # the exit code if there is none


def content_of(path: str) -> bytes:
    """ValueError or OSError if it is no regular file, too large, or can't be read. A pipe is not waited for."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no regular file")
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise ValueError("it has more than %d bytes" % LIMIT)
    return content


def main() -> None:
    try:
        sys.stdout.buffer.write(content_of(sys.argv[1]))
    except FileNotFoundError:
        raise SystemExit(NO_FILE) from None
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
