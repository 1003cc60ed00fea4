# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What an application's virtual environment is made from."""

    DOCUMENTATION = r"""
options:
  extra:
    description: Packages to install beside the application's own.
    type: list
    elements: str
    default: []
  build_constraints:
    description: Versions of the tools that build packages, such as V(setuptools<58) for old ones.
    type: list
    elements: str
    default: []
  requirements_env:
    description:
      - Environment of the installation, and what C(${NAME}) in the requirements stands for, such as a token for
        private repositories. Code that builds packages can read it.
    type: dict
    default: {}
  python:
    description:
      - The Python of the environment, as a version such as V(3.12) or V(3.12.4), which C(uv) fetches once for each host,
        or as the path of an interpreter. V(system) is the distribution's.
      - Where empty, the distribution's, if the application's C(.python-version), C(runtime.txt), C(pyproject.toml) or
        C(Pipfile) do not ask for another one; then the nearest that they mean.
    type: str
    default: ""
  python_mirror:
    description: Where C(uv) fetches Pythons from, instead of from their releases.
    type: str
  python_downloads:
    description: URL or path of the list of Pythons, in place of the one that C(uv) has, as its JSON.
    type: str
  index_url:
    description: Package index to use instead of PyPI.
    type: str
  extra_index_urls:
    description: Further package indexes, such as one with wheels for a Raspberry Pi.
    type: list
    elements: str
    default: []
  index_strategy:
    description:
      - Which index a package comes from that several have, as C(uv) calls it.
      - With V(unsafe-first-match), the first index that has a version that fits; a further one comes before PyPI. If it
        has that version for another Python or processor alone, the package can't be installed.
      - With V(unsafe-best-match), the newest version of all indexes, from the first that has it for this host. Somebody
        else can put a package with the name of a private one on PyPI then.
    type: str
    choices: [unsafe-first-match, unsafe-best-match]
    default: unsafe-first-match
"""

    REQUIREMENTS = r"""
options:
  requirements:
    description: The requirements' file, relative to the application's folder. Found where empty.
    type: str
    default: ""
  extras:
    description: Extras of the project to install.
    type: list
    elements: str
    default: []
  groups:
    description: Dependency groups of the project to install; with Pipenv its categories of packages.
    type: list
    elements: str
    default: []
"""
