"""Which program this is."""

from pathlib import Path

import pytest

from halo_adsync import program


def test_it_is_the_same_as_long_as_nothing_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another library, or a letter of the source, makes it another one."""
    this = program.program.__wrapped__()
    assert program.program.__wrapped__() == this == program.program()
    monkeypatch.setattr(program, "LIBRARIES", program.LIBRARIES[1:])
    other = program.program.__wrapped__()
    assert other != this
    read = Path.read_bytes

    def with_a_letter(path: Path) -> bytes:
        return read(path) + (b" " if path.name == "filters.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", with_a_letter)
    assert program.program.__wrapped__() not in {this, other}
