"""The disk of a virtual machine: the image of a test host, and Debian's kernel for clouds."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from .image import bootstrap, configure, tag_of
from .machine import (
    PACKAGES_FOR_VIRTUAL,
    RUNTIME,
    Settings,
    TestHostError,
    install_packages,
    locked,
    read_settings,
    retry,
    run,
)

DISKS = Path("/var/lib/testhost")
SIZE = "10G"  # of which only what is written takes room
KEPT_UNUSED = 24 * 60 * 60
IMAGES = ("debian-12", "debian-13")
INSTALLED = ["linux-image-cloud-amd64", "qemu-guest-agent"]
FILES = {
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    # An agent that is asked again and again does not end when it is told to.
    "etc/systemd/system/qemu-guest-agent.service.d/stop.conf": "[Service]\nTimeoutStopSec=5\n",
}


def _make(image: str, folder: Path, settings: Settings) -> None:
    """Fill a folder with `disk`, a file system without a partition table, `kernel` and `initrd`."""
    with tempfile.TemporaryDirectory(prefix="testhost-", dir="/var/tmp") as temporary:
        root = Path(temporary) / "root"
        retry(lambda: bootstrap(image, root, settings, INSTALLED))
        configure(image, root, settings, FILES, [])
        run(["systemctl", f"--root={root}", "enable", "systemd-networkd.service"])
        for name, pattern in (("kernel", "boot/vmlinuz-*"), ("initrd", "boot/initrd.img-*")):
            shutil.copy(next(root.glob(pattern)), folder / name)
        disk = str(folder / "disk")
        run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), disk, SIZE], timeout=900)


def _prune(image: str, kept: Path) -> None:
    """Remove older disks of the same image that nothing was started from for a day."""
    for folder in DISKS.glob(f"{image}-*"):
        if folder != kept and folder.stat().st_mtime < time.time() - KEPT_UNUSED:
            shutil.rmtree(folder)


def ensure_disk(image: str) -> str:
    """Make the disk unless one of the same recipe is there, and return its folder."""
    if image not in IMAGES:
        raise TestHostError(f"a virtual machine has one of the images {', '.join(IMAGES)}")
    install_packages(PACKAGES_FOR_VIRTUAL)
    settings = read_settings()
    tag = tag_of(image, settings, Path(__file__).read_text())
    folder = DISKS / tag.partition(":")[2]
    with locked(RUNTIME / f"disk-{image}.lock"):
        if not folder.exists():
            print(f"testhost: making the disk {folder}", file=sys.stderr)
            new = folder.with_name(f".{folder.name}")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            _make(image, new, settings)
            new.rename(folder)
            _prune(image, folder)
        folder.touch()
    return str(folder)
