"""Custom fields: which of a mapping's are there, and what each takes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches

from halo_adsync.errors import ConfigurationError
from halo_adsync.model import CustomField
from halo_adsync.plan.mapping import Target

type Known = Mapping[str, CustomField | None]
"""What is known of the custom fields of a mapping, by lower-case name; None where Halo does not tell."""


def resolved(names: Iterable[str], there: Sequence[CustomField]) -> Known:
    """Find the custom fields of a mapping among those of a Halo instance.

    Where Halo shows none at all, the account may not see them, and nothing is known of any.

    Raises:
        ConfigurationError: some are not there, or cannot be filled by a text; the text names them all.
    """
    by_name = {field.name.lower(): field for field in there}
    problems = []
    for name in sorted(names) if there else ():
        found = by_name.get(name.lower())
        if found is None:
            near = get_close_matches(name.lower(), by_name, n=3)
            hint = " or ".join(by_name[other].name for other in near)
            problems.append(f"fields.{name}: Halo has no such custom field; {hint and f'is {hint} meant?'}")
        elif found.kind == "other":
            problems.append(f"fields.{name}: a table or several choices, which one text cannot fill.")
    if problems:
        raise ConfigurationError([_ended(problem) for problem in problems])
    return {name.lower(): by_name.get(name.lower()) for name in names}


def with_custom(target: Target, known: Known) -> Target:
    """Return what Halo can store, custom fields included."""
    fields = {name: field for name, field in known.items() if field is not None}

    def canonical(name: str, text: str) -> str:
        field = fields.get(name.lower())
        return target.canonical(name, text) if field is None else _canonical(field, text.strip())

    widths = {name: field.width for name, field in fields.items() if field.width is not None}
    told = repr(sorted(fields.items()))
    return replace(target, widths={**target.widths, **widths}, canonical=canonical, custom=told)


def _canonical(field: CustomField, text: str) -> str:
    match field.kind:
        case "choice" if field.choices:
            return _choice(field.choices, text)
        case "date":
            return datetime.fromisoformat(text).replace(tzinfo=None).isoformat(timespec="seconds")
        case "flag":
            if text.lower() not in {"true", "false"}:
                raise ValueError("neither true nor false")
            return text.lower()
        case _:
            return text


def _choice(choices: Mapping[str, str], text: str) -> str:
    """Return the id of a choice that is named by name, in any case, or by its id."""
    by_name = {name.casefold(): number for name, number in choices.items()}
    if text.casefold() in by_name:
        return by_name[text.casefold()]
    if text in choices.values():
        return text
    raise ValueError("not among the choices")


def _ended(problem: str) -> str:
    return f"{problem.rstrip(' ;')}." if not problem.endswith(("?", ".")) else problem
