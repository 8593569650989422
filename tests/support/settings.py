"""Which settings the product reads, off its source."""

import ast
import re
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTING = re.compile(r"AzureWebJobsStorage(?:__\w+)?|[A-Z]+(?:_[A-Z]+)+")


def settings_read() -> set[str]:
    """Return what looks like a setting's name in the modules that read the environment."""
    names: set[str] = set()
    for source in [*(ROOT / "halo_adsync").rglob("*.py"), *(ROOT / "functions").glob("*.py")]:
        if "os.environ" in (text := source.read_text("utf-8")):
            module = import_module(".".join(source.relative_to(ROOT).with_suffix("").parts))
            literals = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
            candidates = [value for value in [*literals, *vars(module).values()] if isinstance(value, str)]
            names.update(value for value in candidates if SETTING.fullmatch(value))
    return names
