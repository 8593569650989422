"""The text of a customer file: read with all its errors at once, written back, and described for editors."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from halo_adsync import yaml_text
from halo_adsync.customer import Customer
from halo_adsync.errors import ConfigurationError

_MESSAGES: Mapping[str, str] = {
    "extra_forbidden": "unknown key; remove it or correct its spelling",
    "missing": "is missing; it has to be given",
}
_MISSHAPEN: Mapping[str, str] = {
    "SecretRef": "must name a secret, as { secret: its-name }; a secret's value never stands in this file",
}


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
    problems = _unknown_fields(text, data, halo_fields)
    try:
        customer = Customer.model_validate(data)
    except ValidationError as error:
        problems += _sentences(text, data, error.errors())
        customer = None
    if customer is None or problems:
        raise ConfigurationError([prefix + problem for problem in dict.fromkeys(problems)])
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


def _sentences(text: str, data: Any, errors: Sequence[ErrorDetails]) -> Iterator[str]:
    """Turn pydantic's errors into one sentence a place, without the values, which might be secrets."""
    by_place: dict[tuple[str | int, ...], list[str]] = {}
    for details in errors:
        by_place.setdefault(_path(data, details), []).append(_message(details))
    for path, messages in by_place.items():
        echo_of_errors_inside = any(
            len(other) > len(path) and other[: len(path)] == path for other in by_place
        )
        if not echo_of_errors_inside or path == ():
            yield _placed(text, path, ", or ".join(dict.fromkeys(messages)))


def _path(data: Any, details: ErrorDetails) -> tuple[str | int, ...]:
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
    message = _MESSAGES.get(details["type"]) or details["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _placed(text: str, path: tuple[str | int, ...], message: str) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    line = f"line {yaml_text.line_of(text, path)}, " if path else ""
    return f"{line}{place or 'the file'}: {message}"


def _unknown_fields(text: str, data: Mapping[str, Any], halo_fields: Collection[str]) -> list[str]:
    mapped = data.get("fields")
    if not halo_fields or not isinstance(mapped, Mapping):
        return []
    return [
        _placed(text, ("fields", str(name)), "Halo's users have no such field; custom fields begin with CF")
        for name in mapped
        if name not in halo_fields and not str(name).upper().startswith("CF")
    ]


def _with_absolute_paths(customer: Customer, base: Path) -> Customer:
    directories = tuple(
        directory.model_copy(update={"ca_file": str((base / directory.ca_file).resolve())})
        if directory.ca_file
        else directory
        for directory in customer.directories
    )
    return customer.model_copy(update={"directories": directories})
