"""Security: nothing that is tracked holds a secret, in whatever kind of file."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import pytest

ROOT = Path(__file__).parents[2]
_BASE64 = r"[A-Za-z0-9+/]"
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
RULES: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "a private key": rf"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+{_BASE64}{{40}}",
        "a key of a storage account": rf"(?<!{_BASE64}){_BASE64}{{86}}==",
        "a shared access signature": r"[?&]sig=[A-Za-z0-9%/+]{40,}",
        "a secret of an application in Entra": r"(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{31,34}(?![\w~.-])",
        "a secret of Halo": rf"{_GUID}-{_GUID}",
        "a function key": r"(?<![\w-])[\w-]{44}AzFu[\w-]{6}==?",
        "a signed token": r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
        "a token of GitHub": r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})",
        "a token of a package index": r"(?:pypi-AgE[\w-]{50,}|npm_[A-Za-z0-9]{36})",
        "a key of another cloud": r"(?:AKIA[A-Z0-9]{16}|AIza[\w-]{35}|xox[abpr]-[\w-]{20,})",
        "the address of a webhook": r"(?:hooks\.slack\.com/services|\.office\.com/webhookb2)/[\w/@-]{20,}",
        "a password in an address": r"[a-z]://[^/\s:@\"'{}]+:[^/\s:@\"'{}]{3,}@[^\s\"'{}]",
    }.items()
}
"""What secrets look like, of the kinds that somebody who works on this could have at hand."""
EMULATOR, REFUSED = "the storage emulator's only key, which Microsoft published", "made up, to be refused"
KEY, ADDRESS = "a key of a storage account", "a password in an address"
ALLOWED: Mapping[tuple[str, str], str] = {
    ("devstack/azurite.py", KEY): EMULATOR,
    ("halo_adsync/settings.py", KEY): EMULATOR,
    ("tests/unit/test_customer_file.py", ADDRESS): REFUSED,
    ("tests/unit/test_customer_file.py", "a secret of Halo"): REFUSED,
    ("tests/unit/test_halo_config.py", ADDRESS): REFUSED,
    ("tests/unit/test_settings.py", ADDRESS): REFUSED,
}
"""What looks like a secret and is none, and why."""
LOCK_FILES = ("requirements*.txt", "package-lock.json")
"""Files full of hashes, which look like keys: their rules are those that no hash fits."""


def tracked() -> Iterator[Path]:
    """Yield every tracked file."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    yield from (path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def found(text: str, *, hashes: bool = False) -> set[str]:
    """Return which kinds of secrets a text seems to hold."""
    rules = RULES.keys() - ({"a key of a storage account"} if hashes else set())
    return {name for name in rules if RULES[name].search(text)}


def test_nothing_that_is_tracked_holds_a_secret() -> None:
    """Every file is looked through; what is allowed is named, and stands there still."""
    seen = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in tracked()
        for name in found(path.read_bytes().decode("latin-1"), hashes=any(map(path.match, LOCK_FILES)))
    }
    assert seen - ALLOWED.keys() == set()
    assert ALLOWED.keys() - seen == set(), "this is allowed, and is not there any more"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("a private key", "-----BEGIN RSA PRIVATE" + " KEY-----\n" + "MIIE" * 16),
        ("a key of a storage account", "AccountKey=" + "aB3/" * 21 + "x9" + "=="),
        ("a shared access signature", "https://a.example/c?sv=1&sig=" + "aB3%2F" * 8),
        ("a secret of an application in Entra", "abc8Q" + "~" + "aB3~_-." * 4 + "wxyz"),
        ("a secret of Halo", f"{UUID(int=7)}-" + str(UUID(int=2**127))),
        ("a function key", "x" * 44 + "AzFu" + "abcdef" + "=="),
        ("a signed token", "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0." + "x" * 43),
        ("a token of GitHub", "ghp" + "_" + "aB3x" * 9),
        ("a token of a package index", "pypi-" + "AgEIcHlwaS5vcmc" + "aB3x" * 12),
        ("a key of another cloud", "AKIA" + "ABCDEFGH12345678"),
        ("the address of a webhook", "https://hooks.slack.com/" + "services/T0AAAAAAA/B0AAAAAAA/xxxxxxxx"),
        ("a password in an address", "postgres://me" + ":hunter2" + "@db.example"),
    ],
)
def test_each_kind_is_found(kind: str, text: str) -> None:
    """A rule that finds nothing would be a false comfort."""
    assert kind in found(f"x = '{text}'")


def test_every_kind_is_tried() -> None:
    """The test above has an example of each."""
    marks = {mark.name: mark for mark in test_each_kind_is_found.pytestmark}  # type: ignore[attr-defined]  # pytest adds it
    assert {kind for kind, _ in marks["parametrize"].args[1]} == RULES.keys()
