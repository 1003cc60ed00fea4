"""The checkers, in the versions of tools/, each in a folder of its own that is kept between runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PINS = Path(__file__).parent / "tools"
CACHE = TOP / ".cache/audit"
sys.path.insert(0, str(TOP / "molecule/shared"))

from testhost.machine import read_settings  # noqa: E402


def run(*command: str | Path, okay: tuple[int, ...] = (0,), **options: object) -> str:
    """A command's output; where it fails, its end."""
    words = [str(word) for word in command]
    done = subprocess.run(words, text=True, capture_output=True, **{"timeout": 900, **options})
    if done.returncode not in okay:
        end = (done.stdout + done.stderr)[-3000:]
        raise RuntimeError(f"{' '.join(words[:4])} ended with {done.returncode}:\n{end}")
    return done.stdout


def kept(folder: Path, *pins: Path) -> bool:
    """Whether the folder was made for these pins; if not, it is empty afterwards."""
    if (folder / ".pins").is_file() and (folder / ".pins").read_text() == texts(pins):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return False


def texts(pins: tuple[Path, ...]) -> str:
    return "".join(path.read_text() for path in pins)


def from_pypi(name: str) -> Path:
    """A checker's command, in a virtual environment of its own."""
    folder, pins = CACHE / name, PINS / f"{name}.txt"
    if not kept(folder, pins):
        run(sys.executable, "-m", "venv", folder)
        run(folder / "bin/pip", "install", "--quiet", "--requirement", pins)
        (folder / ".pins").write_text(texts((pins,)))
    return folder / "bin"


def from_npm() -> Path:
    """The folder of the packages in package-lock.json; no package runs a script."""
    folder, pins = CACHE / "npm", (PINS / "package.json", PINS / "package-lock.json")
    if not kept(folder, *pins):
        for pin in pins:
            shutil.copy(pin, folder)
        run("npm", "ci", "--ignore-scripts", "--omit=optional", "--omit=peer", "--no-audit", "--no-fund", cwd=folder)
        (folder / ".pins").write_text(texts(pins))
    return folder / "node_modules"


def from_debian() -> Path:
    """The files of Debian 13's packages, unpacked and not installed, from this machine's mirror."""
    folder, pins = CACHE / "debian", PINS / "debian.txt"
    if not kept(folder, pins):
        options = apt_options(folder / "apt")
        run("apt-get", *options, "update")
        run("apt-get", *options, "download", *pins.read_text().split(), cwd=folder)
        for package in folder.glob("*.deb"):
            run("dpkg-deb", "--extract", package, folder)
        (folder / ".pins").write_text(texts((pins,)))
    return folder


def apt_options(folder: Path) -> list[str]:
    """What makes apt-get use lists of its own, of Debian 13."""
    settings = read_settings()
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {settings.mirror} trixie main\n")
    places = {"Etc::SourceList": "sources.list", "Etc::SourceParts": "none", "State": "state", "Cache": "cache"}
    words = [f"Dir::{key}={folder / name}" for key, name in places.items()]
    return ["-qq", *(part for word in [*words, "APT::Sandbox::User=root"] for part in ("-o", word))]


def version_of(name: str) -> str:
    """The version that is pinned: in a requirements file, package.json or debian.txt."""
    if (PINS / f"{name}.txt").is_file():
        lines = (PINS / f"{name}.txt").read_text().split()
        return next(line.split("==")[1] for line in lines if line.startswith(f"{name}=="))
    lines = (PINS / "debian.txt").read_text().split()
    if found := [line.split("=")[1] for line in lines if line.startswith(f"{name}=")]:
        return found[0]
    return json.loads((PINS / "package.json").read_text())["dependencies"][name]


def without_proxies() -> dict[str, str]:
    """The environment for a checker that talks to a host beside this machine."""
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
