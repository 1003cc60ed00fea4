"""The test hosts' tool, as far as it can be held without starting one."""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "molecule" / "shared"))

from testhost import agent, cli, container, image, machine, virtual  # noqa: E402

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


def test_32_bits_have_no_suite_for_security_as_raspbian() -> None:
    assert image._sources("debian-12-armhf", SETTINGS) == image._sources("debian-12", SETTINGS)[:2]
    assert image._sources("debian-12-arm64", SETTINGS) == image._sources("debian-12", SETTINGS)


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
    archive = container.tar_of({"etc/ssh/key": "secret", "etc/ssh/key.pub": "public é"})
    with tarfile.open(fileobj=io.BytesIO(archive)) as entries:
        assert {entry.name: entry.mode for entry in entries} == {
            "etc/ssh/key": 0o600,
            "etc/ssh/key.pub": 0o644,
        }


def test_each_address_has_a_hardware_address_of_its_own() -> None:
    assert container.mac_of("10.89.1.2") == "02:00:0a:59:01:02"


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


def test_a_virtual_machine_has_one_disk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "install_packages", lambda: None)
    assert cli.main(["up", "web", "--virtual", "--partition", "/var"]) == 1
    assert "has one disk" in capsys.readouterr().err


def routes(monkeypatch: pytest.MonkeyPatch, *networks: str) -> None:
    """The machine's routes are these."""
    said = json.dumps([{"dst": network} for network in ("default", *networks)])
    monkeypatch.setattr(virtual, "run", lambda argv: subprocess.CompletedProcess(argv, 0, said, ""))


def test_a_virtual_machine_gets_a_network_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    routes(monkeypatch, "10.91.0.0/29", "10.91.0.1", "192.0.2.0/24")
    assert virtual.free_address({"10.91.0.10", "10.89.0.2"}) == "10.91.0.18"
    routes(monkeypatch, "10.0.0.0/8")
    with pytest.raises(machine.TestHostError, match="no network in 10.91.0.0/16 is free"):
        virtual.free_address(set())


def test_a_name_server_of_this_machine_s_own_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "stub", tmp_path / "full", tmp_path / "absent"]
    files[0].write_text("nameserver 127.0.0.53\nnameserver 192.0.2.1\n")
    files[1].write_text("# nameserver 192.0.2.9\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n")
    monkeypatch.setattr(machine, "RESOLVERS", [str(path) for path in files])
    assert machine.name_servers() == ["192.0.2.1", "2001:db8::1"]


Answers = Callable[[str, dict], list[bytes]]


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Callable[[Answers], agent.Agent]]:
    """A guest agent that answers each command by a function's lines."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "agent"))
        server.listen()

        def serve(answers: Answers) -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, connection.makefile("rwb") as channel:
                    for line in channel:
                        asked = json.loads(line.removeprefix(agent.MARK))
                        channel.writelines(answers(asked["execute"], asked["arguments"]))
                        channel.flush()

        def start(answers: Answers) -> agent.Agent:
            threading.Thread(target=serve, args=(answers,), daemon=True).start()
            return agent.Agent(tmp_path / "agent")

        yield start
        server.shutdown(socket.SHUT_RDWR)


def said(value: object) -> bytes:
    return json.dumps({"return": value}).encode() + b"\n"


def test_a_command_in_a_virtual_machine_has_its_own_answer(guest: Callable[[Answers], agent.Agent]) -> None:
    asked: dict[str, dict] = {}
    states = iter([
        {"exited": False},
        {"exited": True, "exitcode": 3, "out-data": base64.b64encode(b"out").decode()},
    ])

    def answers(command: str, arguments: dict) -> list[bytes]:
        asked[command] = arguments
        if command == "guest-sync-delimited":
            return [said({"left": "by another"}), agent.MARK + said(1), agent.MARK + said(arguments["id"])]
        return [said({"pid": 7} if command == "guest-exec" else next(states))]

    done = guest(answers).run(["sh", "-c", "exit 3"], b"in")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out", b"")
    assert (asked["guest-exec"]["path"], asked["guest-exec"]["arg"]) == ("sh", ["-c", "exit 3"])
    assert base64.b64decode(asked["guest-exec"]["input-data"]) == b"in"
    assert asked["guest-exec-status"] == {"pid": 7}


def test_a_refusal_of_the_agent_is_quoted(guest: Callable[[Answers], agent.Agent]) -> None:
    def answers(command: str, arguments: dict) -> list[bytes]:
        if command == "guest-sync-delimited":
            return [agent.MARK + said(arguments["id"])]
        return [json.dumps({"error": {"desc": "no such command"}}).encode() + b"\n"]

    with pytest.raises(machine.TestHostError, match="guest-exec: no such command"):
        guest(answers).run(["true"])


@pytest.fixture
def machine_of(monkeypatch: pytest.MonkeyPatch):
    """Sets the architecture of the machine that the hosts are on."""
    return lambda name: monkeypatch.setattr(image, "own_architecture", lambda: name)


def test_another_processor_is_emulated_and_its_firewall_is_the_machines_own(machine_of) -> None:
    machine_of("amd64")
    argv = image._mmdebstrap_argv("debian-12-armhf", Path("root"), SETTINGS)
    assert "--architectures=armhf,amd64" in argv and argv[argv.index("root") - 1] == "bookworm"
    assert any(word.startswith("--include=") and word.endswith(",iptables:amd64") for word in argv)


@pytest.mark.parametrize(("machine", "name"), [("arm64", "debian-12-arm64"), ("amd64", "debian-12")])
def test_the_machines_own_processor_is_not_emulated(machine: str, name: str, machine_of) -> None:
    machine_of(machine)
    argv = image._mmdebstrap_argv(name, Path("root"), SETTINGS)
    assert not [word for word in argv if word.startswith("--architectures") or "iptables:" in word]


@pytest.mark.parametrize("name", image.SUITES)
def test_an_image_is_known_by_its_tag(name: str) -> None:
    assert image.image_of(image.tag_of(name, SETTINGS)) == name


def test_an_emulated_host_looks_for_packages_of_its_own_processor_alone(tmp_path: Path, machine_of) -> None:
    machine_of("amd64")
    lists = tmp_path / "var/lib/apt/lists"
    lists.mkdir(parents=True)
    for architecture in ("amd64", "arm64"):
        (lists / f"mirror_binary-{architecture}_Packages").touch()
    (tmp_path / "etc/apt").mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://deb.test/debian bookworm main\n")
    image._be_emulated("debian-12-arm64", tmp_path)
    assert (tmp_path / "etc/apt/sources.list").read_text() == "deb [arch=arm64] http://deb.test/debian bookworm main\n"
    assert [path.name for path in lists.iterdir()] == ["mirror_binary-arm64_Packages"]


def test_an_emulator_is_registered_so_that_containers_and_sudo_can_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BINFMT", "BINFMT_RULES", "RUNTIME"):
        monkeypatch.setattr(machine, name, tmp_path)
    monkeypatch.setattr(machine, "install_packages", lambda packages: None)
    (tmp_path / "register").touch()
    (tmp_path / "qemu-arm.conf").write_text(":qemu-arm:M::\\x7fELF:\\xff\\xff:/usr/bin/qemu-arm:POF\n")
    machine.prepare_emulation("armhf")
    assert (tmp_path / "register").read_text() == ":testhost-armhf:M::\\x7fELF:\\xff\\xff:/usr/bin/qemu-arm:POCF"
