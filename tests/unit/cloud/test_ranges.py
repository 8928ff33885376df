"""Host ranges, and addresses that count along."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.cloud.ranges import MOST_HOSTS, Start, expand

NET = IPv4Network("198.18.0.0/24")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("ctl1", ["ctl1"]),
        ("cmp[09-11]", ["cmp09", "cmp10", "cmp11"]),
        ("cmp[9-11]", ["cmp9", "cmp10", "cmp11"]),
        ("cmp[098-101]", ["cmp098", "cmp099", "cmp100", "cmp101"]),
        ("r[1-2]n[1-2]x", ["r1n1x", "r1n2x", "r2n1x", "r2n2x"]),
        ("n[0-1]", ["n0", "n1"]),
        ("[1-2]", ["1", "2"]),
    ],
)
def test_expand(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("cmp[3-1]", "backwards"),
        ("cmp[0-999999999]", "1,000,000,000 hosts"),
        ("cmp[1-400][1-400]", "160,000 hosts"),
        ("cmp[1-]", "not a host name"),
        ("cmp[a-c]", "not a host name"),
        ("cmp[1", "not a host name"),
        ("Cmp1", "not a host name"),
        ("cmp_1", "not a host name"),
        ("-cmp", "not a host name"),
        ("cmp-", "not a host name"),
        ("cmp-[1-2]-", "not a host name"),
        ("x" * 64, "not a host name"),
        ("x" * 62 + "[9-10]", "not a host name"),
        ("", "not a host name"),
        ("cmp[\u0661-\u0663]", "not a host name"),
    ],
)
def test_what_is_no_range_says_why(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        expand(pattern)


@given(st.integers(0, 20_000), st.integers(0, 500), st.integers(0, 6))
def test_a_range_has_its_numbers_in_order_and_width(low: int, more: int, width: int) -> None:
    names = expand(f"n[{low:0{width}d}-{low + more}]")
    assert [int(n[1:]) for n in names] == list(range(low, low + more + 1))
    assert len(set(names)) == len(names)
    if len(f"{low:0{width}d}") > len(str(low)):
        assert {len(n) for n in names} == {1 + max(width, len(str(low + more)))} or len(str(low + more)) > width


def test_the_largest_range_fits() -> None:
    assert len(expand(f"n[1-{MOST_HOSTS}]")) == MOST_HOSTS


@given(st.text(alphabet="cmp[]-0123456789", max_size=20))
def test_anything_expands_or_is_refused(pattern: str) -> None:
    try:
        names = expand(pattern)
    except ValueError:
        return
    assert names
    assert all("[" not in n and n == n.lower() for n in names)


def test_addresses_count_along() -> None:
    taken = Start.parse("198.18.0.101+").take(3, NET)
    assert taken == [IPv4Address(f"198.18.0.{n}") for n in (101, 102, 103)]
    assert Start.parse("198.18.0.1").take(1, NET) == [IPv4Address("198.18.0.1")]
    assert Start.parse("198.18.0.250+").take(5, NET)[-1] == IPv4Address("198.18.0.254")


def test_a_point_to_point_network_has_two_addresses() -> None:
    assert len(Start.parse("10.0.0.0+").take(2, IPv4Network("10.0.0.0/31"))) == 2


@pytest.mark.parametrize(
    ("start", "count", "says"),
    [
        ("198.18.0.11", 2, r"2 hosts cannot share 198.18.0.11; write 198.18.0.11\+"),
        ("198.18.1.11", 1, "198.18.1.11 is outside 198.18.0.0/24"),
        ("198.18.0.250+", 7, "198.18.1.0 is outside"),
        ("198.18.0.250+", 6, "198.18.0.255 is the broadcast address"),
        ("198.18.0.0", 1, "the address of the network"),
        ("198.17.255.255+", 2, "198.17.255.255 is outside"),
    ],
)
def test_addresses_that_do_not_fit(start: str, count: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Start.parse(start).take(count, NET)


def test_addresses_end_where_ipv4_ends() -> None:
    with pytest.raises(ValueError, match=r"255.255.255.250 \+ 99 is outside"):
        Start.parse("255.255.255.250+").take(100, IPv4Network("255.255.255.0/24"))


@pytest.mark.parametrize("text", ["", "+", "198.18.0", "198.18.0.256", "198.18.0.1++", "::1", "ctl1", "198.18.0.1 "])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4 address"):
        Start.parse(text)
