"""Properties: whatever a template is made of, it is refused, or it is quick, short and always the same."""

from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from halo_adsync.model import AttributeValue
from halo_adsync.plan.filters import Shared
from halo_adsync.plan.templates import MAX_RESULT, ExpressionError, compile_expression

NAMES = ("cn", "sn", "mail", "memberOf", "missing", "netbios")
TEXTS = st.text(max_size=8) | st.sampled_from(["'", "{{", "%}", "\n", "🙂"])
VALUES: st.SearchStrategy[dict[str, AttributeValue]] = st.fixed_dictionaries(
    {},
    optional={
        "cn": TEXTS,
        "sn": st.text(min_size=1, max_size=30).map(lambda text: text * 300),
        "mail": TEXTS,
        "memberof": st.lists(TEXTS, max_size=4).map(tuple),
        "netbios": st.just("CORP"),
    },
)
FILTERS = (
    "lower", "upper", "title", "trim", "length", "first", "last", "join", "capitalize", "default('x')",
    "join(sn)", "replace('a', sn)", "replace(sn, cn)", "list", "attr('upper')", "map('upper')", "format",
    "split('a')", "regex_search('(.+)+$')", "regex_search('(a|b)', 1)", "regex_replace('', 'xy')",
    "regex_replace('(.)', '\\1\\1')", "phone", "phone('GB')", "phone(cn)", "date('%Y')",
    "lookup('t')", "lookup('t', cn)",
)  # fmt: skip
SHARED = Shared({"t": {"a": "b" * 300, "corp": "c"}}, "GB")
LEAVES = st.sampled_from([*NAMES, "'a'", "''", "3", "none", "true", "('a', 'b')"])


def joined(parts: tuple[str, str, str]) -> str:
    """Join two expressions by an operator."""
    return f"({parts[0]} {parts[1]} {parts[2]})"


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Make larger expressions of smaller ones, by everything that Jinja has, allowed or not."""
    operators = st.sampled_from(
        ["~", "+", "-", "*", "**", "%", "/", "//", "or", "and", "==", "<", "in", "not in"]
    )
    filters = st.sampled_from(FILTERS)
    ends = st.sampled_from(["[0]", "[-1]", "[:2]", "[1:]", "['upper']", ".upper", ".upper()", "[cn]", "()"])
    return (
        st.tuples(inner, operators, inner).map(joined)
        | st.tuples(inner, filters).map(" | ".join)
        | st.tuples(inner, ends).map(lambda pair: f"({pair[0]}){pair[1]}")
        | st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})")
    )


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=12)


@settings(deadline=None)
@given(EXPRESSIONS, VALUES)
def test_a_template_is_refused_or_short_quick_and_the_same_again(
    source: str, values: dict[str, AttributeValue]
) -> None:
    """No expression leads to anything but a short text or the product's own error, and no text varies."""
    begun = process_time()
    try:
        expression = compile_expression(f"{{{{ {source} }}}}")
        first = expression(values, SHARED)
        again = expression(dict(values), SHARED)
    except ExpressionError:
        return
    finally:
        assert process_time() - begun < 2
    assert first == again
    assert len(first) <= MAX_RESULT
    assert first == first.strip()
    assert "object at 0x" not in first


@given(st.sampled_from([name for name in NAMES if name != "netbios"]), VALUES)
def test_an_attributes_name_means_its_value(name: str, values: dict[str, AttributeValue]) -> None:
    """A plain name and a template that shows it say the same, in any case."""
    shown = f"{{{{ {name} }}}}"
    assert compile_expression(name)(values) == compile_expression(name.upper())(values)
    try:
        assert compile_expression(shown)(values) == compile_expression(name)(values)
    except ExpressionError:
        assert len(compile_expression(name)(values)) > MAX_RESULT - 100


@settings(deadline=None)
@given(EXPRESSIONS)
def test_an_expression_names_what_it_reads(source: str) -> None:
    """Whatever is not among its attributes makes no difference to it: the directory is asked for enough."""
    try:
        expression = compile_expression(f"{{{{ {source} }}}}")
    except ExpressionError:
        return
    values: dict[str, AttributeValue] = {"cn": "ab", "sn": "cd", "mail": "ef", "memberof": ("g", "h")}
    needed = {name: value for name, value in values.items() if name in expression.attributes}

    def result(given_values: dict[str, AttributeValue]) -> str:
        try:
            return expression(given_values, SHARED)
        except ExpressionError as error:
            return str(error)

    assert result(values) == result(needed)
