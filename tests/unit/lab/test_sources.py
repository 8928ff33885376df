"""The machine's apt sources, as Debian and Ubuntu ship them and as people change them."""

from __future__ import annotations

from pathlib import Path

from fournines.lab.sources import Source, debian, parse_deb822, parse_list, read

BOOKWORM = """\
# the shipped file
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
# with a comment inside
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def test_deb822() -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert parse_deb822(BOOKWORM) == [
        Source(("http://mirror.example/debian",), ("bookworm", "bookworm-updates"), ("main",), keyring),
        Source(("http://mirror.example/debian-security",), ("bookworm-security",), ("main",)),
    ]


def test_deb822_leaves_out_sources_disabled_stanzas_and_inline_keys() -> None:
    text = "Types: deb-src\nURIs: u\nSuites: s\n\nEnabled: no\nTypes: deb\nURIs: u\nSuites: s\nComponents: main\n"
    assert parse_deb822(text) == []
    inline = "Types: deb deb-src\nURIs: u\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN PGP\n .\n abc\n"
    assert parse_deb822(inline) == [Source(("u",), ("s",), ("main",))]


def test_one_line_style() -> None:
    text = (
        "# deb http://no/ no main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib  # ours\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb http://flat.example/ ./\n"
    )
    assert parse_list(text) == [
        Source(("http://mirror.example/debian",), ("bookworm",), ("main", "contrib"), "/k.gpg"),
        Source(("http://flat.example/",), ("./",), ()),
    ]


def test_a_line_too_short_is_no_source() -> None:
    assert parse_list("deb http://mirror.example/debian\n") == []


def test_lines_for_the_image() -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert debian(parse_deb822(BOOKWORM)) == [
        f"deb [signed-by={keyring}] http://mirror.example/debian trixie main",
        f"deb [signed-by={keyring}] http://mirror.example/debian trixie-updates main",
        f"deb [signed-by={keyring}] http://mirror.example/debian-security trixie-security main",
    ]


def test_other_projects_for_debian_are_not_debian() -> None:
    others = [
        Source(("http://docker.example/linux/debian",), ("bookworm",), ("stable",)),
        Source(("http://postgresql.example/apt",), ("bookworm-pgdg",), ("main",)),
        Source(("http://cloud.example/apt",), ("cloud-sdk-bookworm",), ("main",)),
    ]
    assert debian(others) == []


def test_ubuntu_is_not_debian_but_can_be_told() -> None:
    ubuntu = [Source(("http://mirror.example/ubuntu",), ("noble", "noble-updates"), ("main", "universe"))]
    assert debian(ubuntu) == []
    assert [line.split()[2:4] for line in debian(ubuntu, "http://other.example/debian")] == [
        ["http://other.example/debian", "trixie"],
        ["http://other.example/debian", "trixie-updates"],
    ]


def test_read_takes_both_styles_and_mirror_lists(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "mirrors").write_text(
        "# nearest first\nhttp://near.example/debian\tpriority:1\nhttp://far.example/debian\n"
    )
    (tmp_path / "sources.list").write_text(f"deb mirror+file:{tmp_path}/mirrors bookworm main\n")
    (tmp_path / "sources.list.d" / "debian.sources").write_text(BOOKWORM)
    (tmp_path / "sources.list.d" / "old.list.save").write_text("deb http://no/ bookworm main\n")
    found = read(tmp_path)
    assert [source.uris[0] for source in found] == [
        "http://near.example/debian",
        "http://mirror.example/debian",
        "http://mirror.example/debian-security",
    ]
