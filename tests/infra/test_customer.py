"""customer.bicep, worked out as Azure does: which names it takes, and what the connection then says."""

import json
import re
import string
from typing import Any
from urllib.parse import quote

import pytest
from tree_sitter import Node

from halo_adsync.customer_connections import Relay
from tests.infra.bicep import INFRA, dig, literal, read, text

FILE = read(INFRA / "customer.bicep")
MANAGER = re.compile(r"[A-Za-z0-9-]+")
"""What the Hybrid Connection Manager takes as a name."""
HOST = re.compile(r"[A-Za-z0-9.-]+")


class RefusedError(Exception):
    """The deployment fails, with this text."""


def fail(message: str) -> Any:
    """End the deployment."""
    raise RefusedError(message)


FUNCTIONS: dict[str, Any] = {
    "fail": fail,
    "replace": str.replace,
    # As .NET's Uri.EscapeDataString: it leaves the unreserved characters of RFC 3986 alone.
    "uriComponent": lambda value: quote(value, safe=""),
}


def work_out(node: Node, given: dict[str, str]) -> Any:
    """Return what an expression comes to: as much of Bicep as this file uses."""
    match node.type:
        case "identifier" if (name := text(node)) in given:
            return given[name]
        case "identifier":
            value = FILE.of("var")[text(node)].value
            assert value is not None
            return work_out(value, given)
        case "string":
            parts = [part for part in node.children if part.type in {"string_content", "interpolation"}]
            return "".join(
                text(part) if part.type == "string_content" else str(work_out(part.named_children[0], given))
                for part in parts
            )
        case "ternary_expression":
            condition, yes, no = node.named_children
            return work_out(yes if work_out(condition, given) else no, given)
        case "binary_expression":
            assert "==" in [text(part) for part in node.children]
            left, right = node.named_children
            return bool(work_out(left, given) == work_out(right, given))
        case "call_expression":
            called, arguments = node.named_children
            return FUNCTIONS[text(called)](*(work_out(part, given) for part in arguments.named_children))
    raise AssertionError(node.type)


def deployed(**given: str) -> tuple[str, str, str]:
    """Return the name, the host and the port that the connection gets."""
    values = {"connection": "contoso-dc01", "host": "dc01.corp.contoso.com", "port": "636"} | given
    body = FILE.of("resource")["hybridConnection"].body
    name, metadata = dig(body, "name"), dig(body, "properties", "userMetadata")
    assert name is not None
    assert metadata is not None
    ((key, endpoint),) = [(pair["key"], pair["value"]) for pair in json.loads(work_out(metadata, values))]
    assert key == "endpoint"
    host, port = endpoint.split(":")
    return work_out(name, values), host, port


def test_a_connection_says_where_it_leads() -> None:
    """As the Hybrid Connection Manager reads it, and under the name that the customer file takes."""
    assert deployed() == ("contoso-dc01", "dc01.corp.contoso.com", "636")
    assert deployed(port="389", host="10.0.0.4")[1:] == ("10.0.0.4", "389")
    assert Relay(namespace="relay-abc", connection=deployed()[0]).connections == ("contoso-dc01",)


@pytest.mark.parametrize("character", [*string.printable, "ä", "🦊"])
def test_names_are_those_of_the_manager(character: str) -> None:
    """Each character is taken where the Hybrid Connection Manager takes it, and refused where it does not."""
    for name, pattern in (("connection", MANAGER), ("host", HOST)):
        value = f"a{character}b"
        if pattern.fullmatch(value):
            assert value in deployed(**{name: value})
        else:
            with pytest.raises(RefusedError, match=name):
                deployed(**{name: value})


def test_what_is_refused_is_said_before_anything_is_made() -> None:
    """The text names the parameter and what it may be."""
    refusal = FILE.of("var")["checkedName"].value
    assert refusal is not None
    assert "letters, digits and dashes" in literal(refusal)
