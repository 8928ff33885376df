"""The machine's apt sources, as Debian and Ubuntu ship them and as people change them."""

from __future__ import annotations

from pathlib import Path

from fournines.lab.sources import Source, debian, parse_deb822, parse_list, read

BOOKWORM = """\
# the shipped file
Types: deb
URIs: file:/srv/mirror/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
# with a comment inside
URIs: file:/srv/mirror/debian-security
Suites: bookworm-security
Components: main
"""


def test_deb822() -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert parse_deb822(BOOKWORM) == [
        Source(("file:/srv/mirror/debian",), ("bookworm", "bookworm-updates"), ("main",), keyring),
        Source(("file:/srv/mirror/debian-security",), ("bookworm-security",), ("main",)),
    ]


def test_deb822_leaves_out_sources_disabled_stanzas_and_inline_keys() -> None:
    text = "Types: deb-src\nURIs: u\nSuites: s\n\nEnabled: no\nTypes: deb\nURIs: u\nSuites: s\nComponents: main\n"
    assert parse_deb822(text) == []
    inline = "Types: deb deb-src\nURIs: u\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN PGP\n .\n abc\n"
    assert parse_deb822(inline) == [Source(("u",), ("s",), ("main",))]


def test_one_line_style() -> None:
    text = (
        "# deb file:/srv/no/ no main\n"
        "deb [arch=amd64 signed-by=/k.gpg] file:/srv/mirror/debian bookworm main contrib  # ours\n"
        "deb-src file:/srv/mirror/debian bookworm main\n"
        "deb file:///srv/flat/ ./\n"
    )
    assert parse_list(text) == [
        Source(("file:/srv/mirror/debian",), ("bookworm",), ("main", "contrib"), "/k.gpg"),
        Source(("file:///srv/flat/",), ("./",), ()),
    ]


def test_a_line_too_short_is_no_source() -> None:
    assert parse_list("deb file:/srv/mirror/debian\n") == []


def test_lines_for_the_image() -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert debian(parse_deb822(BOOKWORM)) == [
        f"deb [signed-by={keyring}] file:/srv/mirror/debian trixie main",
        f"deb [signed-by={keyring}] file:/srv/mirror/debian trixie-updates main",
        f"deb [signed-by={keyring}] file:/srv/mirror/debian-security trixie-security main",
    ]


def test_other_projects_for_debian_are_not_debian() -> None:
    others = [
        Source(("file:/srv/docker/linux/debian",), ("bookworm",), ("stable",)),
        Source(("file:/srv/postgresql/apt",), ("bookworm-pgdg",), ("main",)),
        Source(("file:/srv/cloud/apt",), ("cloud-sdk-bookworm",), ("main",)),
    ]
    assert debian(others) == []


def test_ubuntu_is_not_debian_but_can_be_told() -> None:
    ubuntu = [Source(("file:/srv/mirror/ubuntu",), ("noble", "noble-updates"), ("main", "universe"))]
    assert debian(ubuntu) == []
    assert [line.split()[2:4] for line in debian(ubuntu, "file:/srv/other/debian")] == [
        ["file:/srv/other/debian", "trixie"],
        ["file:/srv/other/debian", "trixie-updates"],
    ]


def test_read_takes_both_styles_and_mirror_lists(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "mirrors").write_text("# nearest first\nfile:/srv/near/debian\tpriority:1\nfile:/srv/far/debian\n")
    (tmp_path / "sources.list").write_text(f"deb mirror+file:{tmp_path}/mirrors bookworm main\n")
    (tmp_path / "sources.list.d" / "debian.sources").write_text(BOOKWORM)
    (tmp_path / "sources.list.d" / "old.list.save").write_text("deb file:/srv/no/ bookworm main\n")
    found = read(tmp_path)
    assert [source.uris[0] for source in found] == [
        "file:/srv/near/debian",
        "file:/srv/mirror/debian",
        "file:/srv/mirror/debian-security",
    ]
