"""Our own lint of infra/: what no parser sees. A compiler sees more, and is not on every machine."""

import re
from collections.abc import Callable, Iterator

from tree_sitter import Node

from tests.infra import known, shapes
from tests.infra.bicep import Bicep, Declaration, chain, dig, line, literal, properties, read, text, walk

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SECRET = re.compile(r"^list[A-Z]|(?i:key\d?$|keys$|secret|password|connectionstring|sastoken)")
"""What a name says that hands out a secret: `listKeys`, `primaryKey`, `properties.ConnectionString`."""
NOT_SECRET = frozenset({"keyVaultName", "KEY_VAULT_NAME", "KEY_VAULT_URL"})

type Rule = Callable[[Bicep], Iterator[str]]


def findings(file: Bicep, *rules: Rule) -> list[str]:
    """Return what is wrong with a file by these rules, or by all."""
    return [f"{file.path.name}:{found}" for rule in rules or RULES for found in rule(file)]


def undefined_symbols(file: Bicep) -> Iterator[str]:
    """Find names that nothing declares."""
    declared = {found.name for found in file.declarations if found.kind != "output"}
    for node in _used(file):
        if text(node) not in declared | _loop_names(node):
            yield f"{line(node)}: {text(node)} is declared nowhere"


def unused_symbols(file: Bicep) -> Iterator[str]:
    """Find parameters and variables that nothing uses."""
    used = {text(node) for node in _used(file)}
    for found in file.declarations:
        if found.kind in {"param", "var"} and found.name not in used:
            yield f"{line(found.node)}: {found.name} is used nowhere"


def unknown_functions(file: Bicep) -> Iterator[str]:
    """Find calls of what is no function of Bicep that we know."""
    for node in walk(file.root, "call_expression"):
        name = node.child_by_field_name("function")
        if name is None or name.type != "identifier" or _in_decorator(node):
            continue
        if text(name) not in known.FUNCTIONS:
            yield f"{line(node)}: {text(name)} is no function on our list"


def module_parameters(file: Bicep) -> Iterator[str]:
    """Find modules that are not there, parameters that they do not know, and those that they miss."""
    for module in file.of("module").values():
        path = file.path.parent / module.source
        if not path.is_file():
            yield f"{line(module.node)}: there is no {module.source}"
            continue
        parameters = read(path).of("param")
        given = properties(dig(module.body, "params")).keys()
        for name in sorted(given - parameters.keys()):
            yield f"{line(module.node)}: {module.source} has no parameter {name}"
        needed = {name for name, parameter in parameters.items() if parameter.value is None}
        for name in sorted(needed - given):
            yield f"{line(module.node)}: {module.source} needs the parameter {name}"


def module_outputs(file: Bicep) -> Iterator[str]:
    """Find outputs that a module does not have."""
    modules = file.of("module")
    for node in walk(file.root, "member_expression"):
        match chain(node):
            case [name, "outputs", output] if name in modules:
                path = file.path.parent / modules[name].source
                if path.is_file() and output not in read(path).of("output"):
                    yield f"{line(node)}: {modules[name].source} has no output {output}"


def secrets_in_outputs(file: Bicep) -> Iterator[str]:
    """Find outputs that would show a secret: the record of the deployment keeps them."""
    secure = {name for name, found in file.of("param").items() if "secure" in found.decorators}
    for output in file.of("output").values():
        names = {text(node) for node in walk(output.value, "identifier", "property_identifier")}
        bad = {name for name in names | {output.name} if SECRET.search(name)} - NOT_SECRET
        if bad := bad | names & secure:
            yield f"{line(output.node)}: output {output.name} shows {', '.join(sorted(bad))}"


def descriptions(file: Bicep) -> Iterator[str]:
    """Find parameters and outputs that nobody explains."""
    for found in file.declarations:
        if found.kind in {"param", "output"} and "description" not in found.decorators:
            yield f"{line(found.node)}: {found.name} has no description"


def api_versions(file: Bicep) -> Iterator[str]:
    """Find types and versions that are not on the list."""
    for found in file.of("resource").values():
        kind, _, version = found.source.partition("@")
        wanted = known.API_VERSIONS.get("/".join(kind.split("/")[:2]))
        if wanted != version:
            yield f"{line(found.node)}: {found.source}: the list says {wanted or 'nothing of it'}"


def roles(file: Bicep) -> Iterator[str]:
    """Find GUIDs that are no role of the list under its own name."""
    named = {}
    for declared in file.of("var").values():
        named.update({node.id: name for name, node in properties(declared.value).items()})
    for node in walk(file.root, "string"):
        for guid in GUID.findall(literal(node)):
            name = named.get(node.id, "")
            if known.ROLES.get(name) != guid:
                yield f"{line(node)}: {guid} is not known as the role {name or '(without a name)'}"


def roles_of_nobody(file: Bicep) -> Iterator[str]:
    """Find role assignments whose principal may be empty, here or in a module, without a condition on it.

    Azure refuses them with InvalidPrincipalId, in the middle of a deployment.
    """
    optional = {name for name, found in file.of("param").items() if found.value and not literal(found.value)}
    for found in _without_condition(file, optional):
        yield f"{line(found.node)}: {found.name} is made for nobody, too"
    for module in file.of("module").values():
        path = file.path.parent / module.source
        given = properties(dig(module.body, "params"))
        inside = {name for name, node in given.items() if text(node) in optional}
        for found in _without_condition(read(path), inside) if path.is_file() else ():
            yield f"{line(module.node)}: {module.source}: {found.name} is made for nobody, too"


def _without_condition(file: Bicep, optional: set[str]) -> Iterator[Declaration]:
    """Yield the role assignments to these parameters that no condition or loop keeps from being made."""
    for found in file.of("resource").values():
        principal = dig(found.body, "properties", "principalId")
        if principal is None or text(principal) not in optional:
            continue
        if f"!empty({text(principal)})" not in _made_when(file, found):
            yield found


def _made_when(file: Bicep, found: Declaration) -> str:
    """Return what stands around a resource's object, a line for it and for each variable that it rests on."""
    whole, body = text(found.value) if found.value else "", text(found.body) if found.body else ""
    lines, variables = [whole.replace(body, "")], dict(file.of("var"))
    for said in lines:
        for name in set(re.findall(r"\w+", said)) & variables.keys():
            value = variables.pop(name).value
            lines.append(text(value) if value is not None else "")
    return "\n".join(lines)


def tags(file: Bicep) -> Iterator[str]:
    """Find resources with a location, which all take tags, that have none."""
    for found in file.of("resource").values():
        given = properties(found.body).keys()
        if "location" in given and "tags" not in given:
            yield f"{line(found.node)}: {found.name} has no tags"


def unknown_properties(file: Bicep) -> Iterator[str]:
    """Find properties that a type does not have, those that it wants, and values that it does not take."""
    for found in file.of("resource").values():
        if found.body is not None and not found.is_existing:
            for node, what in shapes.wrong(found.body, found.source):
                yield f"{line(node)}: {what}"


def unsafe_settings(file: Bicep) -> Iterator[str]:
    """Find what must never be switched on, whatever checkov thinks of it."""
    for pair in walk(file.root, "object_property"):
        name, value = literal(pair.named_children[0]), text(pair.named_children[-1])
        if UNSAFE.get(name) == value:
            yield f"{line(pair)}: {name} must not be {value}"


UNSAFE = {
    "allowSharedKeyAccess": "true",
    "allowBlobPublicAccess": "true",
    "enableRbacAuthorization": "false",
    "enablePurgeProtection": "false",
    "disableLocalAuth": "false",
    "DisableLocalAuth": "false",
    "requiresClientAuthorization": "false",
    "httpsOnly": "false",
    "allow": "true",
}

RULES: tuple[Rule, ...] = (
    undefined_symbols,
    unused_symbols,
    unknown_functions,
    module_parameters,
    module_outputs,
    secrets_in_outputs,
    descriptions,
    api_versions,
    roles,
    roles_of_nobody,
    tags,
    unknown_properties,
    unsafe_settings,
)


def app_settings(file: Bicep) -> set[str]:
    """Return the names of all settings that a file gives to the app."""
    names: set[str] = set()
    for found in file.of("resource").values():
        if found.source.startswith("Microsoft.Web/sites/config@") and _name_of(found) == "appsettings":
            names |= properties(dig(found.body, "properties")).keys()
    return names


def _name_of(found: Declaration) -> str:
    node = dig(found.body, "name")
    return literal(node) if node is not None else ""


def _used(file: Bicep) -> Iterator[Node]:
    """Yield the identifiers that refer to a declaration."""
    for node in walk(file.root, "identifier"):
        parent = node.parent
        if parent is None or _in_decorator(node):
            continue
        is_declared = parent.type.endswith("_declaration") and parent.named_children[0] == node
        is_key = parent.type == "object_property" and parent.named_children[0] == node
        is_called = parent.type == "call_expression" and parent.child_by_field_name("function") == node
        if not (is_declared or is_key or is_called):
            yield node


def _loop_names(node: Node) -> set[str]:
    """Return the names that the loops around a node give."""
    names: set[str] = set()
    above = node.parent
    while above is not None:
        if above.type == "for_statement":
            names |= {text(found) for found in walk(above, "loop_variable", "loop_enumerator")}
            if item := above.child_by_field_name("initializer"):
                names.add(text(item))
        above = above.parent
    return names


def _in_decorator(node: Node) -> bool:
    above = node.parent
    while above is not None:
        if above.type == "decorators":
            return True
        above = above.parent
    return False
