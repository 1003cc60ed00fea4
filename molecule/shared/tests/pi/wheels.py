"""An index as piwheels is for 32 bits: packages ready-made for ARM, and not each version of each package."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PLATFORMS = ("linux_armv6l", "linux_armv7l")  # piwheels has each file under both names


def make_wheel(folder: Path, name: str, version: str, tag: str, text: str) -> None:
    """Write a package of one module to the index, whose folder this is."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": text,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    lines = [f"{path},sha256={digest_of(content)},{len(content)}\n" for path, content in files.items()]
    files[f"{about}/RECORD"] = "".join([*lines, f"{about}/RECORD,,\n"])
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place / f"{name}-{version}-{tag}.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)


def digest_of(content: str) -> str:
    """As a wheel's record has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")


def write_pages(folder: Path) -> None:
    """Write the page of each package, with its files and their hashes."""
    for place in folder.iterdir():
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(place.glob("*.whl"))}
        links = [f'<a href="{name}#sha256={digest}">{name}</a><br>' for name, digest in digests.items()]
        (place / "index.html").write_text("<!DOCTYPE html>\n" + "\n".join(links))


class Quiet(SimpleHTTPRequestHandler):
    """Without a line for each request."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path, address: str) -> Iterator[str]:
    """The URL of the index, while the block runs."""
    with ThreadingHTTPServer((address, 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{address}:{server.server_port}"
        server.shutdown()
