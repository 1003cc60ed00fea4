"""A host behind a jump host, which runs containers by Docker: both are told as they are, and go on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from machine import APP, KEY, STATE, TOP, Application, Machine, scenario_state, wait_for
from playbook import Visitors, run, spoken

# Docker's own program for a published port is left out, so that only the kernel's rules have it.
DOCKER = """
export DEBIAN_FRONTEND=noninteractive
mkdir -p /etc/docker && echo '{"userland-proxy": false}' >/etc/docker/daemon.json
for try in 1 2 3; do apt-get install -qy --no-install-recommends docker.io iptables busybox-static >/dev/null && break; done
tar -C / -c bin/busybox usr/bin/busybox 2>/dev/null | docker import - busybox >/dev/null
docker container inspect web >/dev/null 2>&1 || docker run --detach --restart always --name web -p 8080:80 -p 127.0.0.1:8081:80 busybox /bin/busybox httpd -f -p 80 >/dev/null
"""
# As a provider's firewall does that lets ssh in from one address alone, and all else from none but that one.
ONLY = "iptables -w -t mangle -A PREROUTING -p tcp %s ! -s %s -j DROP"
QUIET = "journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet"  # what the first minutes of a host had to say


def done(machine: Machine, script: str) -> str:
    """What a script on the host says; it has to work."""
    answer = machine.inside(script)
    assert answer.returncode == 0, f"{script}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


def is_open(machine: Machine, port: int) -> bool:
    """Whether this computer can connect by itself."""
    try:
        socket.create_connection((machine.address, port), timeout=2).close()
        return True
    except OSError:
        return False


def shut(behind: Machine, gate: Machine) -> None:
    """Lets ssh in from the jump host alone."""
    done(behind, ONLY % ("--dport 22", gate.address))
    assert not is_open(behind, 22)


@pytest.fixture(scope="module")
def host(behind: Machine, gate: Machine) -> Machine:
    """The host with containers, which only the jump host can log in to."""
    done(behind, DOCKER)
    shut(behind, gate)
    assert works(behind)
    return behind


def works(machine: Machine) -> bool:
    """Whether others reach the container's published port, and the container reaches others."""
    git = json.loads((scenario_state() / "answer.json").read_text())["git"]
    address, port = git.rpartition("/")[2].split(":")
    return is_open(machine, 8080) and not is_open(machine, 8081) and (
        machine.inside(f"docker exec web /bin/busybox nc -w 5 {address} {port} </dev/null").returncode == 0
    )


@pytest.fixture(scope="module")
def ssh_config(host: Machine, gate: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of ssh that knows the way."""
    folder = tmp_path_factory.mktemp("ssh")
    known = [(STATE / "hosts" / machine.name / "known_hosts").read_text() for machine in (host, gate)]
    (folder / "known_hosts").write_text("".join(known))
    hosts = f"Host gate\n  HostName {gate.address}\n  User debian\nHost {host.address}\n  ProxyJump gate\n"
    common = f"Host *\n  IdentityFile {KEY}\n  UserKnownHostsFile {folder / 'known_hosts'}\n  BatchMode yes\n"
    (folder / "config").write_text(hosts + common)
    return folder / "config"


@pytest.fixture(scope="module")
def inventories(host: Machine, ssh_config: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One that says the way itself, and one that leaves it to the configuration of ssh."""
    about = {
        "inventory": {
            "ansible_ssh_private_key_file": str(KEY),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={ssh_config.with_name('known_hosts')} "
            f"-o ProxyCommand='ssh -F {ssh_config} -W %h:%p gate'",
        },
        "configuration": {"ansible_ssh_common_args": f"-F {ssh_config}"},
    }
    made = {}
    for name, variables in about.items():
        folder = tmp_path_factory.mktemp(name)
        variables.update(ansible_host=host.address, flask_domain="blog.example.com")
        variables.update(flask_database="sqlite", flask_database_password="")
        (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {host.name: variables}}}))
        (folder / "group_vars").symlink_to(TOP / "molecule/shared/group_vars")
        made[name] = folder / "hosts.yml"
    return made


def played(playbook: str, inventory: Path, *arguments: str) -> str:
    """What it said; it has to work."""
    answer = run(playbook, *arguments, inventory=inventory)
    assert answer.returncode == 0, spoken(answer)
    return spoken(answer)


def test_the_host_is_set_up_and_its_containers_are_named(inventories: dict[str, Path], host: Machine) -> None:
    said = played("site.yml", inventories["inventory"])
    assert f"Containers publish port 8080 of {host.name} past the firewall" in said
    assert not is_open(host, 22)
    assert works(host)


def test_nothing_is_left_to_do_for_who_comes_by_the_other_way(inventories: dict[str, Path]) -> None:
    assert "changed=0 " in played("site.yml", inventories["configuration"])


def seen(host: Machine) -> Application:
    """The host as its visitors see it, who ask for the site's name."""
    return Application(host.name, host.address, APP, "blog.example.com")


def test_containers_go_on_when_the_firewall_is_loaded_again_and_after_a_reboot(host: Machine, gate: Machine) -> None:
    done(host, "ufw reload")
    assert works(host)
    host.reboot()
    shut(host, gate)
    wait_for(lambda: works(host), "the containers")
    assert seen(host).visitor().get("/healthz").ok


def look(inventory: Path, tmp_path: Path, *ignored: str) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """The doctor's findings, and those of each check."""
    report = tmp_path / "report.json"
    options = {"doctor_ignored": ["updates-pending", "name-unresolved", *ignored], "doctor_json": str(report), "doctor_fail_on": "never"}
    played("doctor.yml", inventory, "-e", json.dumps(options))
    (found,) = json.loads(report.read_text())
    return [(one["id"], one["subject"]) for one in found["findings"]], {one["title"]: one["found"] for one in found["checks"]}


@pytest.mark.parametrize("way", ["inventory", "configuration"])
def test_the_doctor_sees_the_site_and_the_containers_port(
    way: str, inventories: dict[str, Path], host: Machine, tmp_path: Path
) -> None:
    done(host, QUIET)
    findings, checks = look(inventories[way], tmp_path)
    assert findings == [("port-open", "8080")]
    assert checks["HTTPS: certificate, health, headers"] == [] and checks["Open ports"] == ["port-open"]


@pytest.mark.parametrize("way", ["inventory", "configuration"])
def test_the_doctor_asks_sshd_through_the_jump_host(
    way: str, inventories: dict[str, Path], host: Machine, tmp_path: Path
) -> None:
    drop_in = "/etc/ssh/sshd_config.d/00-selfhost.conf"
    done(host, f"sed -i.kept 's/^PasswordAuthentication .*/PasswordAuthentication yes/' {drop_in}; systemctl reload ssh")
    try:
        checks = look(inventories[way], tmp_path)[1]
    finally:
        done(host, f"mv {drop_in}.kept {drop_in}; systemctl reload ssh")
    assert checks["Password login is refused"] == ["ssh-password-login"]
    assert look(inventories[way], tmp_path)[1]["Password login is refused"] == []


@pytest.fixture
def hidden(host: Machine, gate: Machine) -> Iterator[None]:
    """The host's other ports are closed to this computer as well."""
    done(host, ONLY % ("--dport 23:65535", gate.address))
    assert not is_open(host, 443)
    yield
    done(host, (ONLY % ("--dport 23:65535", gate.address)).replace("-A", "-D"))


@pytest.mark.usefixtures("hidden")
def test_what_nobody_can_see_from_here_is_said_to_be_so(inventories: dict[str, Path], tmp_path: Path) -> None:
    findings, checks = look(inventories["inventory"], tmp_path)
    assert findings == [("outside-unseen", ""), ("port-open", "8080")]
    assert not [title for title in checks if "HTTP" in title or "Open ports" in title]
    assert checks["Password login is refused"] == []


def test_nobody_notices_an_update_through_the_jump_host(inventories: dict[str, Path], host: Machine) -> None:
    with Visitors(seen(host)) as visitors:
        played("update.yml", inventories["inventory"], "-e", "flask_version=v2")
    assert visitors.problems == [] and visitors.seen("version") == ["v1", "v2"]


@pytest.fixture
def closed_gate(gate: Machine) -> Iterator[None]:
    """The jump host forwards nothing, as one does that the collection has hardened."""
    path = "/etc/ssh/sshd_config.d/01-closed.conf"
    done(gate, f"echo AllowTcpForwarding no >{path}; systemctl reload ssh")
    yield
    done(gate, f"rm {path}; systemctl reload ssh")


@pytest.mark.usefixtures("closed_gate")
@pytest.mark.parametrize("way", ["inventory", "configuration"])
def test_a_jump_host_that_forwards_nothing_is_told(way: str, inventories: dict[str, Path], tmp_path: Path) -> None:
    answer = run("update.yml", "-e", f"ansible_control_path_dir={tmp_path}", inventory=inventories[way])
    assert answer.returncode != 0 and "The jump host forwards no connections" in spoken(answer), spoken(answer)


@pytest.fixture
def taken(host: Machine) -> Iterator[None]:
    """The kernel sends visitors to a container, at whose port nobody listens."""
    rule = "iptables -w -t nat -%s PREROUTING -p tcp --dport 443 -j DNAT --to-destination 172.17.0.2:80"
    done(host, rule % "A")
    yield
    done(host, rule % "D")


@pytest.mark.usefixtures("taken")
def test_a_container_in_the_place_of_the_proxy_is_refused(inventories: dict[str, Path], host: Machine) -> None:
    answer = run("site.yml", inventory=inventories["inventory"])
    said = "The ports 80 and 443 are taken by a rule of the kernel's table nat. End that first."
    assert answer.returncode != 0 and said in spoken(answer), spoken(answer)
    assert f"Nothing was changed on {host.name}." in spoken(answer)
