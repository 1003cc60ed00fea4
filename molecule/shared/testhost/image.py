"""The image of a test host: what a cloud provider's bare Debian has, and nothing more."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .machine import (
    CA_BUNDLE,
    EMULATORS,
    RUNTIME,
    Settings,
    TestHostError,
    locked,
    own_architecture,
    podman,
    prepare_emulation,
    read_settings,
    retry,
    run,
)

UBUNTU_LIKE = "ubuntu-like"  # Debian, as Ubuntu sets it up: no mirror of Ubuntu is needed
SUITES = {"debian-12": "bookworm", "debian-13": "trixie", UBUNTU_LIKE: "trixie", "sid": "sid"}
ARCHITECTURES = {f"debian-12-{name}": name for name in EMULATORS}  # others are the machine's own
SUITES.update(dict.fromkeys(ARCHITECTURES, SUITES["debian-12"]))
DATABASE_SERVERS = {"sid": "mysql-server"}
PASSWORD = "test-password"
REPOSITORY = "localhost/testhost"
LABEL = "testhost.image"
KEPT_UNUSED = "24h"

INSTALLED = """
    apt-utils bash-completion ca-certificates cron curl dbus init iproute2 iputils-ping kmod less
    libnss-myhostname libpam-systemd netbase openssh-server procps python3 python3-apt sudo systemd
    systemd-sysv tzdata udev vim-tiny
""".split()
UBUNTU_INSTALLED = ["needrestart", "rpcbind"]  # rpcbind as a service that an image brings along

# Kept as .deb files in the image: a host installs them without a download.
CACHED = """
    acl apache2 auditd certbot chrony debsums fail2ban gettext git
    libnginx-mod-http-brotli-filter libnginx-mod-http-brotli-static libpam-pwquality logrotate
    needrestart nftables nginx postfix postgresql python3-cryptography python3-packaging
    python3-pip python3-psycopg2 python3-pymysql python3-systemd python3-venv rsync sqlite3
    supervisor ufw unattended-upgrades uwsgi uwsgi-plugin-python3
""".split()
CACHED_ALONE = "systemd-timesyncd"  # it can't be installed beside chrony
CACHED_IN = {"debian-13": ["pebble"]}

# qemu lets no program speak to the kernel's packet filter. So these are the machine's own.
NOT_EMULATED = ("iptables",)
# qemu makes no namespace for a new process, as systemd wants one for a unit with credentials, and
# gets no interface up in a network namespace.
EMULATED_FILES = {
    **{
        f"etc/systemd/system/systemd-{unit}.service.d/50-emulated.conf": "[Service]\nLoadCredential=\n"
        for unit in ("sysctl", "sysusers", "tmpfiles-clean", "tmpfiles-setup", "tmpfiles-setup-dev")
    },
    "etc/systemd/system/e2scrub_reap.service.d/50-emulated.conf": "[Service]\nPrivateNetwork=no\n",
}

# Downloads in the background, and questions of the first boot.
MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "systemd-firstboot.service"]

# Hardware and consoles, which a container has not.
MASKED_IN_CONTAINERS = """
    console-getty.service getty.target proc-sys-fs-binfmt_misc.automount systemd-binfmt.service
    systemd-udev-trigger.service systemd-udevd.service systemd-udevd-control.socket
    systemd-udevd-kernel.socket
""".split()

# Kernel settings other than the network's are not a container's own: leave the machine's alone.
SYSCTL_NET_ONLY = """\
[Service]
ExecStart=
ExecStart=/usr/lib/systemd/systemd-sysctl --prefix=net
"""

FILES_OF_CONTAINERS = {
    # The kernel is this machine's: what it said is no fault of the test host.
    "etc/systemd/journald.conf.d/50-own.conf": "[Journal]\nReadKMsg=no\n",
    "etc/systemd/system/systemd-sysctl.service.d/50-net-only.conf": SYSCTL_NET_ONLY,
}


def is_emulated(image: str) -> bool:
    """Tell whether the image's programs are another processor's than the machine's."""
    return ARCHITECTURES.get(image, own_architecture()) != own_architecture()


def prepare_kernel(image: str) -> None:
    """See that the kernel can run the image's programs."""
    if is_emulated(image):
        prepare_emulation(ARCHITECTURES[image])


def _environment(settings: Settings) -> dict[str, str]:
    """Return the variables by which pip, uv, git and Python's ssl find the CA certificates."""
    names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    return {**dict.fromkeys(names, CA_BUNDLE), **dict(settings.proxies)}


def _files(settings: Settings) -> dict[str, str]:
    """Return the configuration files of an image, by path."""
    variables = _environment(settings)
    assignments = [f"{key}={value}" for key, value in variables.items()]
    pip = {"cert": CA_BUNDLE, **dict(settings.pip)}
    return {
        "etc/hostname": "localhost\n",
        "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
        "etc/default/locale": "LANG=C.UTF-8\n",
        "etc/environment": "".join(f"{text}\n" for text in assignments),
        "etc/pip.conf": "[global]\n" + "".join(f"{key} = {value}\n" for key, value in pip.items()),
        "etc/uv/uv.toml": "system-certs = true\n",
        "etc/sudoers.d/50-environment": f'Defaults env_keep += "{" ".join(variables)}"\n',
        "etc/systemd/system.conf.d/50-environment.conf": (
            f"[Manager]\nDefaultEnvironment={shlex.join(assignments)}\n"
        ),
        "etc/ssh/sshd_config.d/50-cloud-init.conf": "PasswordAuthentication yes\n",
    }


def _sources(image: str, settings: Settings) -> list[str]:
    """Return the lines of sources.list, on the mirror that this machine itself uses."""
    suite = SUITES[image]
    lines = [f"deb {settings.mirror} {suite} main"]
    if suite != "sid":
        lines.append(f"deb {settings.mirror} {suite}-updates main")
        # Raspbian, which the 32 bits of Raspberry Pi OS are, has no suite for these.
        if settings.security and ARCHITECTURES.get(image) != "armhf":
            lines.append(f"deb {settings.security} {suite}-security main")
    return lines


def _mmdebstrap_argv(
    image: str, root: Path, settings: Settings, more: Sequence[str] = ()
) -> list[str]:
    """Return the command that fills the folder `root` with packages and the cache of .debs."""
    options = [*settings.apt_options, 'Acquire::Retries "5";']
    if image == "sid":
        options.append('Acquire::Check-Valid-Until "false";')
    database = DATABASE_SERVERS.get(image, "default-mysql-server")
    cached = " ".join([*CACHED, *CACHED_IN.get(image, []), database])
    download = (
        'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get install --yes --download-only'
        " -o Apt::Install-Recommends=true"
    )
    included = [*INSTALLED, *(UBUNTU_INSTALLED if image == UBUNTU_LIKE else []), *more]
    foreign = []
    if is_emulated(image):
        own = own_architecture()
        included += [f"{package}:{own}" for package in NOT_EMULATED]
        foreign = [f"--architectures={ARCHITECTURES[image]},{own}", "--skip=check/qemu"]
    return [
        *("unshare", "--mount"),
        *("mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(included)}"),
        *foreign,
        *(f"--aptopt={option}" for option in dict.fromkeys(options)),
        *(f"--customize-hook={download} {names}" for names in (cached, CACHED_ALONE)),
        *("--skip=cleanup/apt/lists", "--skip=cleanup/apt/cache"),
        *(SUITES[image], str(root), *_sources(image, settings)),
    ]


def bootstrap(image: str, root: Path, settings: Settings, more: Sequence[str] = ()) -> None:
    """Fill a folder with the distribution, and with more of its packages."""
    run(["rm", "-rf", str(root)])
    run(_mmdebstrap_argv(image, root, settings, more), timeout=3600 if is_emulated(image) else 900)


def _add_certificates(root: Path, settings: Settings) -> None:
    """Make the image trust each CA that this machine trusts and the distribution does not."""
    known = (root / CA_BUNDLE[1:]).read_text()
    extra = [text for text in settings.certificates if text not in known]
    for number, text in enumerate(extra):
        path = root / f"usr/local/share/ca-certificates/machine-{number}.crt"
        path.write_text(f"{text}\n")
    run(["chroot", str(root), "update-ca-certificates"])


def _be_emulated(image: str, root: Path) -> None:
    """Leave the machine's own architecture to the packages that are there."""
    for name, text in EMULATED_FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = root / "etc/apt/sources.list"
    only = f"deb [arch={ARCHITECTURES[image]}] "
    sources.write_text(sources.read_text().replace("deb ", only))
    for index in root.glob(f"var/lib/apt/lists/*binary-{own_architecture()}*"):
        index.unlink()


def _be_like_ubuntu(root: Path) -> None:
    """Let systemd listen for sshd, and keep homes closed, as Ubuntu does since 22.10."""
    run(["systemctl", f"--root={root}", "disable", "ssh.service"])
    run(["systemctl", f"--root={root}", "enable", "ssh.socket"])
    login = root / "etc/login.defs"
    login.write_text(re.sub(r"(?m)^#?\s*HOME_MODE\b.*", "HOME_MODE\t0750", login.read_text()))
    (root / "etc/adduser.conf").write_text("DIR_MODE=0750\n")


def configure(
    image: str, root: Path, settings: Settings, files: Mapping[str, str], masked: Sequence[str]
) -> None:
    """Turn a plain installation into a provider's server: logins, certificates, units."""
    for name, text in {**_files(settings), **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "etc/sudoers.d/50-environment").chmod(0o440)
    _add_certificates(root, settings)
    sshd = root / "etc/ssh/sshd_config"
    sshd.write_text(re.sub(r"(?m)^#?PermitRootLogin .*", "PermitRootLogin yes", sshd.read_text()))
    run(["chroot", str(root), "chpasswd"], stdin=f"root:{PASSWORD}\n")
    run(["systemctl", f"--root={root}", "mask", *MASKED, *masked])
    if image == UBUNTU_LIKE:
        _be_like_ubuntu(root)
    if is_emulated(image):
        _be_emulated(image, root)
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")


def _import(root: Path, tag: str, image: str) -> None:
    changes = ('CMD ["/sbin/init"]', "STOPSIGNAL SIGRTMIN+3", f"LABEL {LABEL}={image}")
    options = [text for change in changes for text in ("--change", change)]
    archive = root.with_suffix(".tar")
    run(["tar", "--numeric-owner", "--xattrs", "-C", str(root), "-cf", str(archive), "."])
    podman("import", "--quiet", *options, str(archive), tag, timeout=600)


def _build(image: str, tag: str, settings: Settings) -> None:
    print(f"testhost: building the image {tag}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="testhost-", dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        retry(lambda: bootstrap(image, root, settings))
        configure(image, root, settings, FILES_OF_CONTAINERS, MASKED_IN_CONTAINERS)
        _import(root, tag, image)
    unused = ("--filter", f"label={LABEL}={image}", "--filter", f"until={KEPT_UNUSED}")
    podman("image", "prune", "--all", "--force", *unused)


def tag_of(image: str, settings: Settings, *more: str) -> str:
    """Return the image's name; it changes with the recipe and with this machine's settings."""
    recipe = [image, dataclasses.asdict(settings), Path(__file__).read_text(), *more]
    digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()
    return f"{REPOSITORY}:{image}-{digest[:12]}"


def image_of(tag: str) -> str:
    """Return the image that a name of `tag_of` stands for."""
    return tag.removeprefix(f"{REPOSITORY}:").rpartition("-")[0]


def ensure_image(image: str) -> str:
    """Build the image unless one of the same recipe is there, and return its name."""
    if image not in SUITES:
        raise TestHostError(f"no image '{image}'; there is {', '.join(SUITES)}")
    prepare_kernel(image)
    settings = read_settings()
    tag = tag_of(image, settings)
    with locked(RUNTIME / f"image-{image}.lock"):
        if podman("image", "exists", tag, check=False).returncode:
            _build(image, tag, settings)
    return tag
