"""The import directions of the product, and where foreign names may stand: read off the source itself."""

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "halo_adsync"
ENTRY_POINTS = ("function_app", "functions")

CUSTOMER = (
    "customer",
    "customer_agents",
    "customer_connections",
    "customer_file",
    "customer_login",
    "customer_onboarding",
    "customer_placement",
    "customer_terms",
    "customer_values",
    "yaml_text",
)
ARROWS: Mapping[str, tuple[str, ...]] = {
    "model": (),
    "errors": (),
    "loopback": (),
    "packed": (),
    "program": (),
    "yaml_text": ("errors",),
    "customer": (
        "model",
        "errors",
        "loopback",
        "customer*",
        "yaml_text",
        "plan.filters",
        "plan.templates",
        "directory.dn",
        "directory.filters",
    ),
    "plan": ("model", "errors", "packed", "customer*", "plan"),
    "directory": ("model", "errors", "loopback", "directory"),
    "events": (),
    "notify": ("errors", "loopback"),
    "notifying": (
        "model",
        "errors",
        "customer",
        "events",
        "notify",
        "notifying_tickets",
        "services",
        "state",
    ),
    "notifying_tickets": ("model", "errors", "customer*", "halo.port", "notify", "services", "state"),
    "telemetry": ("model",),
    "halo": ("model", "errors", "packed", "loopback", "events", "telemetry", "halo"),
    "state": ("model", "errors", "packed", "customer*", "plan.types", "halo.budget", "state"),
    "entra": ("model", "errors", "loopback", "entra"),
    "services": (
        "model",
        "customer",
        "customer_login",
        "plan.mapping",
        "program",
        "directory.port",
        "entra.port",
        "halo.port",
        "notify",
        "state",
        "telemetry",
    ),
    "looking_up": ("customer", "errors", "plan.facts", "services"),
    "planning": (
        "model",
        "customer",
        "plan",
        "directory.port",
        "errors",
        "halo.port",
        "following",
        "learning",
        "looking_up",
        "services",
        "state",
        "asking",
        "departing",
        "planning_agents",
        "telemetry",
    ),
    "following": ("model", "customer", "plan", "directory.port", "state", "asking"),
    "learning": ("model", "packed", "customer", "plan", "halo.port", "services", "telemetry"),
    "asking": ("model", "customer", "directory.port", "directory.dn"),
    "applying": (
        "model",
        "errors",
        "customer",
        "plan",
        "halo.port",
        "state",
        "applying_agents",
        "applying_places",
        "pausing",
    ),
    "applying_agents": ("errors", "plan.types", "halo.port", "state"),
    "applying_places": ("model", "errors", "plan", "halo.port", "state"),
    "pausing": ("errors", "plan.parking", "state.runs"),
    "planning_agents": ("model", "customer", "plan", "halo.port"),
    "departing": ("model", "customer", "plan", "directory.port", "halo.port"),
    "sync": (
        "model",
        "errors",
        "customer",
        "plan",
        "halo.port",
        "applying",
        "following",
        "notifying",
        "pausing",
        "planning",
        "services",
        "slices",
        "state",
        "telemetry",
    ),
    "slices": ("model", "errors", "customer", "state"),
    "schedule": ("model", "errors", "customer", "customers", "pausing", "services", "state", "sync"),
    "lagging": ("model", "errors", "customers", "pausing", "schedule", "services", "state"),
}
"""What each part may import of the product; `customer*` stands for the modules of the customer file."""

PURE = (
    "plan.make",
    "plan.survey",
    "plan.readiness",
    "plan.render",
    "plan.places",
    "plan.guard",
    "plan.parking",
    "plan.select",
    "customer_file",
    "customer_onboarding",
    "model",
)
"""Where the pure half is entered: nothing that these lead to may touch the outside."""
OUTSIDE = frozenset({
    "asyncio", "getpass", "http", "io.open", "logging", "multiprocessing", "os", "platform", "random",
    "requests", "resource", "secrets", "select", "shutil", "signal", "smtplib", "socket", "ssl", "subprocess",
    "tempfile",
    "threading", "time", "urllib.request", "urllib3", "uuid", "azure", "ldap3", "msal", "rich", "typer",
})  # fmt: skip
"""Clients, clocks, chance, environment and loggers."""

AZURE_SDKS = ("bootstrap", "identity", "insights", "secrets", "state.azure_table", "state.queue")
"""The adapters of Azure's services, and the one place that builds them."""

LDAP_NAMES = frozenset({
    "accountexpires", "badpasswordtime", "displayname", "distinguishedname", "givenname", "isdeleted",
    "lastknownparent", "lockouttime", "member", "memberof", "msds-user-account-control-computed",
    "netbiosname", "objectcategory", "objectclass", "objectguid", "objectsid", "parentguid", "proxyaddresses",
    "samaccountname", "telephonenumber", "useraccountcontrol", "userprincipalname", "usnchanged",
    "whenchanged",
})  # fmt: skip
"""Attribute names that cannot be mistaken for words of our own."""
LDAP_NAMES_ELSEWHERE: Mapping[str, frozenset[str]] = {
    "model": frozenset({"objectguid", "distinguishedname"}),  # how its types are called
    "entra.codec": frozenset({"userprincipalname"}),  # Graph has a property of that name
    "halo.codec": frozenset({"samaccountname"}),  # Halo has a field of that name
    "halo.ldap_connection": LDAP_NAMES,  # Halo's own set-up names attributes
}
HALO_NAMES = frozenset({
    "activedirectory_dn", "actguid", "adconnection", "azure_connectionid", "client_id", "clientsite_name",
    "customfields", "emailaddress", "exclude_generaluser", "inactive", "includeinactive", "ldapstring",
    "mobilenumber", "neversendemails", "pageinate", "phonenumber", "record_count", "sendwelcomeemail",
    "site_id", "third_party_guid",
})  # fmt: skip
"""Halo's field names that cannot be mistaken for words of our own."""
HALO_NAMES_ELSEWHERE: Mapping[str, frozenset[str]] = {
    "plan.match": frozenset({"third_party_guid", "emailaddress"})
}
"""The rungs of the matching ladder are words of the customer file, which names them as Halo does."""


@cache
def sources() -> Mapping[str, ast.Module]:
    """Return the syntax tree of every module of the product, by name without the package's."""
    files = sorted((ROOT / PACKAGE).rglob("*.py"))
    return {name(path): ast.parse(path.read_text("utf-8")) for path in files}


def name(path: Path) -> str:
    """Return a module's name within the package, such as `plan.make`; a package's own is its folder's."""
    return ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of everything that a module imports, at its top or later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(tree: ast.Module) -> set[str]:
    """Return the modules of the product that a module imports."""
    found = set()
    for full in imported(tree):
        inside = full.removeprefix(f"{PACKAGE}.")
        if inside != full:
            found.add(inside if inside in sources() else inside.rpartition(".")[0])
    return found - {"", "__init__"}


def matches(module: str, pattern: str) -> bool:
    """Tell whether a module is the pattern's, or stands below it."""
    if pattern == "customer*":
        return module in CUSTOMER
    return module == pattern or module.startswith(f"{pattern}.")


def closure(*begin: str) -> set[str]:
    """Return these modules and all of the product that they lead to."""
    found: set[str] = set()
    open_ends = list(begin)
    while open_ends:
        module = open_ends.pop()
        if module not in found:
            found.add(module)
            open_ends += ours(sources()[module])
    return found


def literals(tree: ast.Module) -> Iterator[str]:
    """Yield every text that a module holds as a value: no docstrings, which may explain anything."""
    described = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.value


@pytest.mark.parametrize("part", ARROWS)
def test_the_arrows_point_one_way(part: str) -> None:
    """Each part imports what stands below it, and nothing above or beside."""
    patterns = CUSTOMER if part == "customer" else (part,)
    modules = [module for module in sources() if any(matches(module, pattern) for pattern in patterns)]
    assert modules
    wrong = {
        (module, other)
        for module in modules
        if part != "customer" or module != "yaml_text"
        for other in ours(sources()[module])
        if not any(matches(other, pattern) for pattern in ARROWS[part])
    }
    assert not wrong


def test_the_pure_half_touches_nothing_outside() -> None:
    """Nothing that the plan or the customer file leads to imports a client, clock, environment or logger."""
    modules = closure(*PURE)
    assert "plan.decide" in modules
    wrong = {
        (module, full)
        for module in modules
        for full in imported(sources()[module])
        if any(full == banned or full.startswith(f"{banned}.") for banned in OUTSIDE)
    }
    assert not wrong


@pytest.mark.parametrize(
    "call", ["now", "today", "utcnow", "open", "input", "print", "getenv", "exec", "eval"]
)
def test_the_plan_asks_nobody_for_the_time_or_a_file(call: str) -> None:
    """Time comes in as an argument: no call in the plan or the model reads a clock, a file or a terminal."""
    called = {
        (module, node.lineno)
        for module, tree in sources().items()
        if matches(module, "plan") or module == "model"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) == call
    }
    assert not called


def test_only_templates_know_jinja() -> None:
    """The plan stands on the standard library and the customer file; templates and their filters on more."""
    foreign = {
        (module, full.partition(".")[0])
        for module, tree in sources().items()
        if matches(module, "plan")
        for full in imported(tree)
        if full.partition(".")[0] not in {*sys.stdlib_module_names, PACKAGE}
    }
    assert foreign == {
        ("plan.templates", "jinja2"),
        ("plan.filter_checks", "jinja2"),
        ("plan.filters", "jinja2"),
        ("plan.filters", "phonenumbers"),
        ("plan.filters", "re2"),
    }


def test_nothing_in_the_product_knows_the_functions_host() -> None:
    """`azure.functions` is the triggers' alone, so that the command line runs without it."""
    wrong = [
        module for module, tree in sources().items() if any("azure.functions" in f for f in imported(tree))
    ]
    assert not wrong


def test_azure_is_reached_through_its_adapters_only() -> None:
    """Clients are built in one place, and the SDKs are named in the adapters."""
    users = {
        module for module, tree in sources().items() if any(f.startswith("azure.") for f in imported(tree))
    }
    assert users <= set(AZURE_SDKS)


def test_where_telemetry_goes_is_one_modules_business() -> None:
    """Everybody else makes spans and numbers with the API of OpenTelemetry, which does nothing by itself."""
    users = {
        module: {full for full in imported(tree) if full.startswith("opentelemetry.")}
        for module, tree in sources().items()
    }
    assert {module for module, names in users.items() if names} == {"telemetry", "insights"}
    assert not {full for full in users["telemetry"] if full.startswith("opentelemetry.sdk")}


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("ldap3", ("directory",)),
        ("requests", ("halo", "entra")),
        ("urllib3", ("halo",)),
        ("msal", ("entra",)),
    ],
)
def test_a_protocol_is_spoken_in_its_package(library: str, packages: tuple[str, ...]) -> None:
    """LDAP, Halo's HTTP and Microsoft Graph have one home each."""
    users = [
        module
        for module, tree in sources().items()
        if any(full == library or full.startswith(f"{library}.") for full in imported(tree))
    ]
    assert users
    assert all(any(matches(module, package) for package in packages) for module in users)


def test_the_triggers_go_through_the_bootstrap() -> None:
    """`function_app` registers the triggers; they use the use cases, and never a client or the plan."""
    app = set(imported(ast.parse((ROOT / "function_app.py").read_text("utf-8"))))
    assert all(full.startswith(("azure.functions", "functions.")) for full in app)
    allowed = (
        "bootstrap",
        "sync",
        "schedule",
        "health",
        "errors",
        "events",
        "model",
        "state",
        "telemetry",
        "console",
        "customer*",
    )
    use_cases = (
        "access",
        "approving",
        "auditing",
        "forgetting",
        "keeping",
        "lagging",
        "customers",
        "deciding",
        "explaining",
        "previewing",
        "plan.render",
    )
    wrong = {
        (path.name, module)
        for path in (ROOT / "functions").glob("*.py")
        for module in ours(ast.parse(path.read_text("utf-8")))
        if not any(matches(module, pattern) for pattern in (*allowed, *use_cases))
    }
    assert not wrong


def test_nothing_of_ours_imports_the_triggers_or_the_development_stack() -> None:
    """What is deployed stands without what starts it, and without what stands in for the cloud."""
    wrong = {
        (module, full)
        for module, tree in sources().items()
        for full in imported(tree)
        if full.partition(".")[0] in {*ENTRY_POINTS, "devstack", "tests"}
    }
    assert not wrong


def test_ldap_attribute_names_stand_in_the_directory_and_the_customer_file() -> None:
    """No other module holds the name of an attribute as a value, in whatever case."""
    at_home = ("directory", "customer*")
    wrong = {
        (module, text)
        for module, tree in sources().items()
        if not any(matches(module, home) for home in at_home)
        for text in literals(tree)
        if text.lower() in LDAP_NAMES - LDAP_NAMES_ELSEWHERE.get(module, frozenset())
    }
    assert not wrong


def test_halos_field_names_stand_in_its_package_and_the_customer_file() -> None:
    """No other module holds the name of a field as a value, but for the rungs of the matching ladder."""
    at_home = ("halo", "customer*")
    wrong = {
        (module, text)
        for module, tree in sources().items()
        if not any(matches(module, home) for home in at_home)
        for text in literals(tree)
        if text.lower() in HALO_NAMES - HALO_NAMES_ELSEWHERE.get(module, frozenset())
    }
    assert not wrong


def test_modules_are_short() -> None:
    """About 300 lines are the most that a module holds, so that it can be read at one sitting."""
    long = {
        path.name: lines
        for path in (ROOT / PACKAGE).rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 330
    }
    assert not long
