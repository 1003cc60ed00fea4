# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site.yml with nothing to do costs: the run before this one was such a one, molecule's for idempotence."""

from __future__ import annotations

import json
import os
from pathlib import Path

MOST = 7


def test_a_site_with_nothing_to_do_takes_few_module_runs() -> None:
    runs = json.loads(Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "module-runs.json").read_text())
    counts = {host: len(modules) for host, modules in runs.items()}
    assert counts and max(counts.values()) <= MOST, runs
    assert min(counts.values()) > 3, runs  # they were counted
