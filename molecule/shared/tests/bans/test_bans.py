"""Who guesses passwords. The scenario's other host does, so that this one sees another address."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from machine import ADMIN, KEY, Machine, machines, wait_for

# All at once: newer versions of sshd themselves put off who comes back.
GUESSES_AT_SSH = """
for n in 1 2 3 4 5 6; do
    ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=3 intruder@$1 true 2>/dev/null &
done
wait
"""

GUESSES_AT_THE_LOGIN = """
jar=$(mktemp)
token=$(curl -sk -m 3 -b $jar -c $jar https://$1/login |
    sed -n 's/.*name="csrf_token"[^>]* value="\\([^"]*\\)".*/\\1/p')
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
    curl -sk -m 3 -o /dev/null -w '%{http_code}\\n' -b $jar -c $jar -e https://$1/login \\
        -d "csrf_token=$token" -d name=ana -d password=$n https://$1/login || true
done
"""


@pytest.fixture
def stranger(machine: Machine) -> Machine:
    """Another host of the scenario."""
    return next(other for other in machines() if other != machine)


# A packet of QUIC in a version that no server has. One that speaks HTTP/3 answers with those it has.
ASK_BY_UDP = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as asking:
    asking.settimeout(2)
    asking.connect((sys.argv[1], 443))
    asking.send(bytes.fromhex("c0" + "0a" * 4 + ("08" + "5e" * 8) * 2).ljust(1200, bytes(1)))
    try:
        print("answered" if asking.recv(1500)[1:5] == bytes(4) else "nonsense")
    except ConnectionRefusedError:
        print("refused")
    except TimeoutError:
        print("nothing")
"""

CONNECT = 'python3 -c "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)" "$1" "$2"'


def reaches(stranger: Machine, machine: Machine, port: int) -> bool:
    """Whether the stranger gets a connection. One that is banned is told so, or only kept waiting."""
    return stranger.inside(CONNECT, machine.address, str(port)).returncode == 0


def refused(stranger: Machine, machine: Machine) -> bool:
    """Whether the stranger gets no connection at all: ssh and the site are both out of reach."""
    return not any(reaches(stranger, machine, port) for port in (22, 80, 443))


def by_udp(stranger: Machine, machine: Machine) -> str:
    """What becomes of a packet of the stranger's: answered, refused, or nothing at all."""
    return stranger.inside('python3 -c "$2" "$1"', machine.address, ASK_BY_UDP).stdout.strip()


@pytest.fixture
def banned(machine: Machine, stranger: Machine) -> Iterator[Callable[[], bool]]:
    """Bans the stranger, again if need be, when it is called; afterwards nobody is banned."""
    command = f"fail2ban-client set sshd {{}} {stranger.address}"
    yield lambda: machine.inside(command.format("banip")).returncode == 0
    assert machine.inside(command.format("unbanip")).returncode == 0


def guess_until_banned(stranger: Machine, machine: Machine, guesses: str) -> list[str]:
    """What the guesses were answered. A ban is short: one that was over before it was seen is earned again."""
    answers: list[str] = []

    def is_banned() -> bool:
        answers.extend(stranger.inside(guesses, machine.address).stdout.split())
        return refused(stranger, machine)

    wait_for(is_banned, "the ban", seconds=90)
    return answers


def test_who_guesses_at_ssh_reaches_nothing_for_a_while(machine: Machine, stranger: Machine) -> None:
    assert reaches(stranger, machine, 443)
    guess_until_banned(stranger, machine, GUESSES_AT_SSH)
    assert machine.answers()
    assert machine.ssh(ADMIN, f"IdentityFile={KEY}", "BatchMode=yes").stdout.strip() == ADMIN
    wait_for(lambda: reaches(stranger, machine, 443), "the ban's end", seconds=90)


def test_who_guesses_at_the_login_reaches_nothing_for_a_while(machine: Machine, stranger: Machine) -> None:
    answers = guess_until_banned(stranger, machine, GUESSES_AT_THE_LOGIN)
    assert answers[0] == "200"  # the form is shown again
    assert machine.answers()
    wait_for(lambda: reaches(stranger, machine, 443), "the ban's end", seconds=90)


def test_who_is_banned_is_refused_by_udp_too(
    machine: Machine, stranger: Machine, banned: Callable[[], bool]
) -> None:
    has_http3 = "Alt-Svc" in machine.visitor().get("/").headers
    assert by_udp(stranger, machine) == ("answered" if has_http3 else "nothing")
    # It is not said to each packet.
    wait_for(lambda: banned() and by_udp(stranger, machine) == "refused", "the refusal")


def test_who_is_banned_still_answers_the_host(
    machine: Machine, stranger: Machine, banned: Callable[[], bool]
) -> None:
    wait_for(lambda: banned() and not reaches(stranger, machine, 443), "the ban")
    assert reaches(machine, stranger, 443)


def test_the_administrators_address_is_never_banned(machine: Machine) -> None:
    for dummy in range(6):
        assert machine.ssh("intruder", f"IdentityFile={KEY}", "BatchMode=yes").returncode == 255
    visitor = machine.visitor()
    answers = [visitor.post("/login", data={"name": "ana"}).status_code for dummy in range(12)]
    assert set(answers) <= {200, 400, 429}
    jails = machine.inside("fail2ban-client banned")
    assert jails.returncode == 0, jails.stderr
    assert machine.own_address() not in jails.stdout
    assert machine.answers()
