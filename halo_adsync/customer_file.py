"""The text of a customer file: read with all its errors at once, written back, and described for editors."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from halo_adsync import yaml_text
from halo_adsync.customer import Customer
from halo_adsync.customer_values import PATTERNS
from halo_adsync.errors import ConfigurationError

_MESSAGES: Mapping[str, str] = {
    "extra_forbidden": "unknown key; remove it or correct its spelling",
    "missing": "is missing; it has to be given",
    "string_type": "must be a text; put a number in quotes to make it one",
}
_MISSHAPEN: Mapping[str, str] = {
    "FieldRule": "must be an attribute's name, a template, or { from: ..., mode: ..., blank: ..., ... }",
}
_LONGEST_STEP = 80
"""Characters that are shown of a key."""
type _Path = tuple[str | int, ...]


def parse(
    text: str, *, source: str = "", base: Path | None = None, halo_fields: Collection[str] = ()
) -> Customer:
    """Read a customer file (YAML, or JSON, which is YAML).

    Args:
        text: the file's text.
        source: its name, for messages.
        base: the folder that a relative `ca_file` is meant from.
        halo_fields: Halo's user fields; where given, a mapping to any other (but `CF...`) is an error.

    Raises:
        ConfigurationError: with every problem, each with its line and place.
    """
    prefix = f"{source}: " if source else ""
    try:
        data = yaml_text.load(text)
    except ConfigurationError as error:
        raise ConfigurationError([prefix + problem for problem in error.problems]) from None
    if not isinstance(data, dict):
        raise ConfigurationError(
            f"{prefix}a customer file is a mapping that begins with its id, such as 'id: contoso'."
        )
    problems = _unknown_fields(data, halo_fields)
    try:
        customer = Customer.model_validate(data)
    except ValidationError as error:
        problems |= _problems(data, error.errors())
        customer = None
    if customer is None or problems:
        raise ConfigurationError([prefix + sentence for sentence in _sentences(text, problems)])
    return _with_absolute_paths(customer, base) if base else customer


def export(customer: Customer) -> str:
    """Write a customer as YAML, leaving out what stands at its default."""
    return yaml_text.dump(plain(customer))


def plain(customer: Customer) -> dict[str, Any]:
    """Return a customer as plain data that `parse` takes, leaving out what was not given."""
    data: dict[str, Any] = customer.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return data


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a customer file, for editors."""
    schema = Customer.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Halo AD Sync customer file"
    rule = schema["$defs"]["FieldRule"]
    schema["$defs"]["FieldRule"] = {"anyOf": [{"type": "string"}, rule]}
    return schema


def _problems(data: Any, errors: Sequence[ErrorDetails]) -> dict[_Path, str]:
    """Return what is wrong at which place, without the values there, which might be secrets."""
    found: dict[_Path, list[str]] = {}
    for details in errors:
        found.setdefault(_path(data, details), []).append(_message(details))
    # A union complains at its own place too when one of its members complains further inside.
    outer = {path[:length] for path in found for length in range(1, len(path))}
    return {
        path: ", or ".join(dict.fromkeys(messages)) for path, messages in found.items() if path not in outer
    }


def _sentences(text: str, problems: Mapping[_Path, str]) -> list[str]:
    """Return one sentence a place, in the order of the file."""
    lines = yaml_text.Lines(text)
    ordered = sorted(problems.items(), key=lambda problem: lines.of(problem[0]))
    return [_placed(lines, path, message) for path, message in ordered]


def _path(data: Any, details: ErrorDetails) -> _Path:
    """Return where the error stands, without the steps by which pydantic names members of a union."""
    path: list[str | int] = []
    for step in details["loc"]:
        if _holds(data, step):
            data = data[step]
        elif details["type"] != "missing" or step != details["loc"][-1]:
            continue
        path.append(step)
    return tuple(path)


def _holds(data: Any, step: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, Mapping) and step in data


def _message(details: ErrorDetails) -> str:
    if details["type"] == "model_type":
        class_name = details.get("ctx", {}).get("class_name")
        return _MISSHAPEN.get(str(class_name), "must be a block of keys, such as { key: value }")
    if details["type"] == "string_pattern_mismatch":
        return PATTERNS[details["ctx"]["pattern"]]
    message = _MESSAGES.get(details["type"]) or details["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _placed(lines: yaml_text.Lines, path: _Path, message: str) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step[:_LONGEST_STEP]}" for step in path)
    place = "".join(steps).lstrip(".")
    line = f"line {lines.of(path)}, " if path else ""
    return f"{line}{place or 'the file'}: {message}"


def _unknown_fields(data: Mapping[str, Any], halo_fields: Collection[str]) -> dict[_Path, str]:
    mapped = data.get("fields")
    if not halo_fields or not isinstance(mapped, Mapping):
        return {}
    return {
        ("fields", str(name)): "Halo's users have no such field; custom fields begin with CF"
        for name in mapped
        if name not in halo_fields and not str(name).upper().startswith("CF")
    }


def _with_absolute_paths(customer: Customer, base: Path) -> Customer:
    directories = tuple(
        directory.model_copy(update={"ca_file": str((base / directory.ca_file).resolve())})
        if directory.ca_file
        else directory
        for directory in customer.directories
    )
    return customer.model_copy(update={"directories": directories})
