"""YAML to data with places."""

from __future__ import annotations

import time

import pytest

from fournines.cloud.source import Place, Places, dotted, parse


def read(text: str):
    data, places, problems = parse(text, "f.yaml")
    return data, places, [f"{p.line}:{p.column} {p.path}: {p.message}" for p in problems]


def test_every_key_and_value_has_its_place() -> None:
    data, places, problems = read("a:\n  b: [x, {c: 1}]\n")
    assert data == {"a": {"b": ["x", {"c": 1}]}}
    assert problems == []
    assert places.find(("a",), key=True) == Place(1, 1)
    assert places.find(("a", "b"), key=True) == Place(2, 3)
    assert places.find(("a", "b")) == Place(2, 6)
    assert places.find(("a", "b", 0)) == Place(2, 7)
    assert places.find(("a", "b", 1, "c")) == Place(2, 14)


def test_what_is_missing_stands_where_its_parent_does() -> None:
    _, places, _ = read("a:\n  b: 1\n")
    assert places.find(("a", "b", "c", "d")) == Place(2, 3)
    assert places.find(("z",)) == Place(1, 1)
    assert Places().find(("a", 0)) == Place(1, 1)
    assert ("a", "b") in places
    assert ("a", "c") not in places


def test_scalars_follow_yaml_1_2() -> None:
    data, _, problems = read("[no, 12:30, 1, 0x10, 1.5, true, ~, 2025-01-01, '1', 198.18.0.1, .inf]")
    assert problems == []
    assert data == ["no", "12:30", 1, 16, 1.5, True, None, "2025-01-01", "1", "198.18.0.1", float("inf")]


def test_keys_are_text() -> None:
    assert read("{1: a, true: b, null: c, 1.5: d}")[0] == {"1": "a", "true": "b", "null": "c", "1.5": "d"}


def test_a_key_twice_is_a_problem_and_the_first_stands() -> None:
    data, _, problems = read("a: 1\nb: 2\na: 3\n")
    assert data == {"a": 1, "b": 2}
    assert problems == ["3:1 a: a is here twice; the first is on line 1"]


def test_anchors_and_merges() -> None:
    data, places, problems = read("x: &x {a: 1, b: 2}\ny: &y {b: 3, <<: *x}\nz: {<<: [*y, *x], c: 4}\n")
    assert problems == []
    assert data["y"] == {"b": 3, "a": 1}
    assert data["z"] == {"b": 3, "a": 1, "c": 4}
    assert places.find(("z", "a")) == Place(1, 11)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{<<: 1}", "`<<` takes a mapping"),
        ("{<<: [[1]]}", "`<<` takes a mapping"),
        ("{[a]: 1}", "a key must be one word"),
        ("!secret x", "the tag !secret is not known here"),
        ("!!int x", "'x' is not a valid int"),
        ("!!binary aGk=", "tag:yaml.org,2002:binary is not known"),
        ("a: [", "this is not YAML"),
        ("a: b: c", "this is not YAML: mapping values are not allowed here"),
        ("\ta: 1", "this is not YAML"),
        ("a: 1\n--- \nb: 1", "this is not YAML"),
        ("a: *b", "this is not YAML"),
        ("a: \x00", "this is not YAML"),
        ("&a [*a]", "an alias contains itself"),
        ("&a {b: 1, <<: *a}", "an alias contains itself"),
        ("[" * 5000, "nested too deeply"),
        ('"\\ud800"', "half a character"),
        ('{"\\ud800": 1}', "half a character"),
    ],
)
def test_what_is_wrong_says_so(text: str, says: str) -> None:
    problems = read(text)[2]
    assert len(problems) == 1
    assert says in problems[0]


def test_the_place_of_a_syntax_error() -> None:
    assert read("a: 1\nb: [1, 2\nc: 3\n")[2][0].startswith("3:2 .: ")


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines)


def chain(merge: bool) -> str:
    """Each line repeats the one above it."""
    link = "{{<<: [*a{0}, *a{0}], k{1}: 1}}" if merge else "[*a{0}]"
    lines = ["a0: &a0 {k: 1}"] + [f"a{n}: &a{n} " + link.format(n - 1, n) for n in range(1, 3000)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb(), "its aliases stand for 111,111 values"),
        (chain(merge=True), "its aliases stand for"),
        (chain(merge=False), "nested too deeply"),
        ("[" * 3000, "nested too deeply"),
        ("[" * 3000 + "]" * 3000, "nested too deeply"),
        ("{a: " * 3000, "nested too deeply"),
        ("[{" * 3000, "nested too deeply"),
        ("- " * 3000, "nested too deeply"),
        ("? " * 3000, "nested too deeply"),
        ("[\n" * 3000, "nested too deeply"),
        ("\n".join(" " * n + "a:" for n in range(3000)), "nested too deeply"),
    ],
    ids=["bomb", "merges", "aliases", "brackets", "pairs", "flow", "mixed", "dashes", "keys", "lines", "block"],
)
def test_what_would_take_minutes_is_refused_at_once_with_its_place(text: str, says: str) -> None:
    began = time.process_time()
    data, _, problems = read(text)
    assert time.process_time() - began < 1
    assert data is None
    [problem] = problems
    assert says in problem
    assert not problem.startswith("1:1 ")


def test_aliases_and_depth_as_cloud_files_have_them_are_read() -> None:
    zones = "\n".join(f"  z{n}: *zone" for n in range(1000))
    assert len(read(f"zone: &zone {{power: a, switch: b}}\nzones:\n{zones}\n")[0]["zones"]) == 1000
    assert read("[" * 20 + "]" * 20)[2] == []


def test_a_number_keeps_how_it_is_written() -> None:
    _, places, _ = read("a: 1.10\nb: 1e3\nc: 0o17\nd: 1.5\ne: 12\nf: '1.10'\n")
    assert [places.text((k,)) for k in "abcdef"] == ["1.10", "1e3", "0o17", "", "", ""]


def test_an_empty_file_is_nothing() -> None:
    assert read("")[0] is None
    assert read("# only a comment\n")[2] == []


def test_paths_read_as_in_jq() -> None:
    assert dotted(("regions", "phx", "hosts", "cmp[1-2]", "roles", 0)) == 'regions.phx.hosts."cmp[1-2]".roles[0]'
    assert dotted(("services", "haproxy", "options", "haproxy.cfg")) == 'services.haproxy.options."haproxy.cfg"'
    assert dotted((0,)) == "[0]"
    assert dotted(()) == "."
