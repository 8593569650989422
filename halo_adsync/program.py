"""Program: which program this is, to the letter. What one has worked out another may not take for granted."""

import hashlib
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("google-re2", "jinja2", "phonenumbers")
"""What a mapping works with besides our own code."""


@cache
def program() -> str:
    """Return a digest of this package's source, of the libraries of mappings and of Python's version.

    Read once for each process, in some 10 milliseconds.
    """
    digest = hashlib.sha256(sys.version.encode())
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
