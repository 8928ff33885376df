from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from fournines.services.fernet import FernetKeys, dumps, loads, rotated

USABLE = 1000.0


def _rotation(times: list[float], max_active: int = 3) -> list[FernetKeys]:
    numbers = iter(range(2, 10_000))
    keys = [FernetKeys({0: "k0", 1: "k1"}, {})]
    for now in times:
        keys.append(rotated(keys[-1], now, USABLE, max_active, lambda: f"k{next(numbers)}"))
    return keys


def test_the_staged_key_becomes_primary_and_a_new_one_is_staged() -> None:
    _, after = _rotation([100.0])
    assert after.files == {2: "k0", 1: "k1", 0: "k2"}
    assert after.primary == 2
    assert after.retired == {1: 100.0}


def test_old_keys_go_once_no_token_needs_them() -> None:
    *_, after = _rotation([0.0, 2000.0, 4000.0])
    assert sorted(after.files) == [0, 3, 4]


def test_rotating_in_a_hurry_keeps_every_key_that_a_token_may_need() -> None:
    *_, after = _rotation([0.0, 1.0, 2.0, 3.0])
    assert sorted(after.files) == [0, 1, 2, 3, 4, 5]


def test_stored_and_read_again() -> None:
    *_, after = _rotation([0.0, 1.0])
    assert loads(dumps(after)) == after
    assert "k0" not in repr(after)


@dataclass
class _Host:
    """Changes over one file at a time, highest index first, then drops what is gone."""

    files: dict[int, str]
    todo: list[tuple[int, str | None]] = field(default_factory=list)

    def wants(self, keys: FernetKeys) -> None:
        puts = [(i, k) for i, k in sorted(keys.files.items(), reverse=True) if self.files.get(i) != k]
        self.todo = [*puts, *((i, None) for i in self.files if i not in keys.files)]

    def step(self) -> None:
        if self.todo:
            index, key = self.todo.pop(0)
            if key is None:
                del self.files[index]
            else:
                self.files[index] = key

    @property
    def primary(self) -> str:
        return self.files[max(self.files)]


@given(
    gaps=st.lists(st.floats(1, 3000), min_size=1, max_size=5),
    order=st.lists(st.integers(0, 2), max_size=60),
)
def test_any_host_reads_what_any_other_encrypts_at_every_moment(gaps: list[float], order: list[int]) -> None:
    """Hosts change over in any order and are interrupted anywhere; a rotation begins only when the last has arrived."""
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    generations = _rotation(times)
    hosts = [_Host(dict(generations[0].files)) for _ in range(3)]
    issued: list[tuple[float, str]] = []
    steps = iter(order)
    for now, keys in zip(times, generations[1:], strict=True):
        for host in hosts:
            host.wants(keys)
        while any(h.todo for h in hosts):
            issued += [(now, h.primary) for h in hosts]
            for host in hosts:
                alive = {key for at, key in issued if now - at < USABLE}
                assert alive <= set(host.files.values())
            hosts[next(steps, 0)].step()
            if next(steps, None) is None:
                for host in hosts:
                    host.step()
