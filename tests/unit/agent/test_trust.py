"""What the observer trusts is what the file says now: an authority that is rotated needs no restart."""

from __future__ import annotations

import os
from pathlib import Path

from fournines.agent.observer.watch import trusting
from fournines.services.pki import new_key, sign_ca


def test_a_file_with_another_authority_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text(sign_ca("one", new_key()))
    first = trusting(str(file))
    assert first is trusting(str(file))
    file.write_text(sign_ca("one", new_key()) + sign_ca("two", new_key()))
    os.utime(file, ns=(1, 1))
    second = trusting(str(file))
    assert first and second
    assert (len(first.get_ca_certs()), len(second.get_ca_certs())) == (1, 2)


def test_without_a_file_there_is_no_tls() -> None:
    assert trusting("") is None
