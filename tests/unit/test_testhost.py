"""The test hosts' tool, as far as it can be held without starting one."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "molecule" / "shared"))

from testhost import cli, host, image, machine  # noqa: E402

SETTINGS = machine.Settings(
    mirror="http://mirror.test/debian/",
    security="http://mirror.test/security/",
    apt_options=('Acquire::http::Proxy "http://proxy.test:3128";',),
    pip=(("index-url", "https://index.test/simple"),),
    proxies=(("https_proxy", "http://proxy.test:3128"),),
    certificates=(),
)


@pytest.mark.parametrize("name", ["../x", "-x", "x.", "a/b", "Upper", ""])
def test_a_name_that_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["down", "--", name])
    assert ended.value.code == 2


@pytest.mark.parametrize("size", ["x", "0", "1.5g", "2 g"])
def test_a_memory_that_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["up", "web", "--memory", size])
    assert ended.value.code == 2


def test_sources_come_from_the_mirror_of_this_machine() -> None:
    assert image._sources("debian-13", SETTINGS) == [
        "deb http://mirror.test/debian/ trixie main",
        "deb http://mirror.test/debian/ trixie-updates main",
        "deb http://mirror.test/security/ trixie-security main",
    ]
    assert image._sources("sid", SETTINGS) == ["deb http://mirror.test/debian/ sid main"]


def test_what_is_like_ubuntu_comes_from_debian_too() -> None:
    assert image._sources("ubuntu-like", SETTINGS) == image._sources("debian-13", SETTINGS)


def test_the_image_gets_another_name_when_the_settings_change() -> None:
    other = machine.Settings(**{**vars(SETTINGS), "certificates": ("a new one",)})
    assert image.tag_of("sid", SETTINGS) == image.tag_of("sid", SETTINGS)
    assert image.tag_of("sid", SETTINGS) != image.tag_of("sid", other)


def test_the_image_has_the_proxy_and_the_index_of_this_machine() -> None:
    files = image._files(SETTINGS)
    assert "index-url = https://index.test/simple" in files["etc/pip.conf"]
    assert "https_proxy=http://proxy.test:3128" in files["etc/environment"]


def test_folders_of_this_machine_are_no_package_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nfind-links = /wheels\nindex-url = https://index.test/%simple\n"
        "extra-index-url = file:///wheels https://more.test/simple\n"
    )
    for key in ("INDEX_URL", "EXTRA_INDEX_URL", "TRUSTED_HOST"):
        monkeypatch.delenv(f"PIP_{key}", raising=False)
    monkeypatch.setattr(machine, "PIP_CONFIGS", [str(config)])
    assert dict(machine._pip_settings()) == {
        "index-url": "https://index.test/%simple",
        "extra-index-url": "https://more.test/simple",
    }


def test_private_files_of_a_host_are_private() -> None:
    archive = host._tar({"etc/ssh/key": "secret", "etc/ssh/key.pub": "public é"})
    with tarfile.open(fileobj=io.BytesIO(archive)) as entries:
        assert {entry.name: entry.mode for entry in entries} == {
            "etc/ssh/key": 0o600,
            "etc/ssh/key.pub": 0o644,
        }


def test_each_address_has_a_hardware_address_of_its_own() -> None:
    assert host._mac_of("10.89.1.2") == "02:00:0a:59:01:02"


def test_a_failed_command_is_quoted_with_its_last_lines() -> None:
    with pytest.raises(machine.TestHostError, match="exit code 3\nwhy"):
        machine.run(["sh", "-c", "echo why >&2; exit 3"])


def test_a_condition_that_never_holds_ends_in_an_error() -> None:
    with pytest.raises(machine.TestHostError, match="boot: not within 0 s"):
        machine.wait_for(lambda: False, "boot", timeout=0)


def test_a_host_starts_in_groups_of_its_own_and_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    for tree in ("cpu", "memory"):
        (tmp_path / tree).mkdir()
    argv = machine.control_groups("web", "512m", machine.BOUNDS)
    assert (tmp_path / "memory/web/memory.limit_in_bytes").read_text() == "512m"
    assert machine.run([*argv, "echo", "there"]).stdout == "there\n"
    assert all((tmp_path / tree / "web/cgroup.procs").read_text().strip().isdigit() for tree in ("cpu", "memory"))
    assert machine.control_groups("web", "512m", ["pids"]) == []


def test_groups_that_the_host_has_made_in_its_own_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    (tmp_path / "cpu/web/flask.slice/flask-blog.slice").mkdir(parents=True)
    (tmp_path / "cpu/other").mkdir()
    machine.remove_control_groups("web")
    assert [path.name for path in tmp_path.rglob("*")] == ["cpu", "other"]
