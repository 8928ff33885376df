from __future__ import annotations

from samples.sound import Check, brief


def test_what_is_not_encrypted_is_reported(check: Check) -> None:
    for mode in ("off", "optional"):
        found = check(after=f"tls: {{internal: {mode}}}\n")
        assert [(rule, severity) for rule, severity, _ in brief(found)] == [("not-encrypted", "warning")]
        assert found[0].path == "tls.internal"
    assert check(after="tls: {internal: required}\n") == []


def test_what_has_no_tls_in_the_middle_of_a_change_is_named(check: Check) -> None:
    for components, named in (("core", False), ("compute", True)):
        (finding,) = check(after=f"tls: {{internal: optional}}\ncomponents: {components}\n")
        assert ("Valkey" in finding.what, "console proxies" in finding.what) == (named, named)


def test_another_word_is_refused(check: Check) -> None:
    assert [f.rule for f in check(after="tls: {internal: no}\n")] == ["file"]
