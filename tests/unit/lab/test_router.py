"""The second client's router: where it is attached, which address it takes, and that nothing is left of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

import pytest

from fournines.errors import LabError
from fournines.lab import router, state
from fournines.lab.state import Bridge, Lab

VIP = IPv4Address("198.18.1.100")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands, each with its standard input."""
    bridges = (
        Bridge("management", "fnb-1", IPv4Interface("198.18.0.1/24"), "02:00:00:00:00:01"),
        Bridge("public", "fnb-2", IPv4Interface("198.18.1.1/24"), "02:00:00:00:00:02"),
    )
    monkeypatch.setattr(state, "load", lambda _: Lab("acme", "x", bridges, ()))
    monkeypatch.setattr(router.shutil, "which", lambda _: "/sbin/ip")
    done: list[str] = []

    def run(command: list[str], stdin: str = "") -> str:
        if command[:3] == ["ip", "netns", "list"]:
            made = [line.split()[-1] for line in done if line.startswith("ip netns add")]
            gone = [line.split()[-1] for line in done if line.startswith("ip netns delete")]
            return "".join(f"{name} (id: 1)\n" for name in made if name not in gone)
        done.append(" ".join(command) + "\n" + stdin if stdin else " ".join(command))
        return ""

    monkeypatch.setattr(router, "run", run)
    return done


def test_it_takes_a_free_address_of_the_vips_network_and_leaves_nothing(ran: list[str]) -> None:
    taken = [IPv4Address("198.18.1.254"), IPv4Address("198.18.1.253")]
    with router.behind_router("acme", VIP, taken) as words:
        said = "\n".join(ran)
        assert "master fnb-2" in said
        assert "address add 198.18.1.252/24" in said
        assert "masquerade" in said
        assert words[:3] == ("ip", "netns", "exec")
    added = {line.split()[-1] for line in ran if line.startswith("ip netns add")}
    assert added == {line.split()[-1] for line in ran if line.startswith("ip netns delete")}
    assert len(added) == 2


def test_it_is_gone_also_when_it_could_not_be_made(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run = router.run

    def breaks(command: list[str], stdin: str = "") -> str:
        if "nft" in command:
            raise LabError("nft is missing")
        return run(command, stdin=stdin)

    monkeypatch.setattr(router, "run", breaks)
    with pytest.raises(LabError, match="nft"), router.behind_router("acme", VIP, ()):
        pass
    assert sum(line.startswith("ip netns delete") for line in ran) == 2


def test_a_vip_that_no_network_holds_is_said(ran: list[str]) -> None:
    with pytest.raises(LabError, match="holds 10"), router.behind_router("acme", IPv4Address("10.0.0.1"), ()):
        pass
    assert ran == []
