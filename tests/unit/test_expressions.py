"""Templates over attributes: what they can do, and what they cannot be made to do."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_adsync.model import AttributeValue
from halo_adsync.plan.mapping import cut
from halo_adsync.plan.templates import MAX_RESULT, ExpressionError, compile_expression

ADA: dict[str, AttributeValue] = {
    "givenname": "Ada",
    "sn": "Lovelace",
    "mail": "ada@x.test",
    "othertelephone": ("1", "2"),
    "netbios": "CORP",
    "samaccountname": "ada",
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("givenName", "Ada"),
        ("GIVENNAME", "Ada"),
        ("missing", ""),
        ("otherTelephone", "1, 2"),
        ("{{ displayName or givenName }}", "Ada"),
        ("{{ netbios }}\\{{ sAMAccountName }}", "CORP\\ada"),
        ("{{ sn | upper }}, {{ givenName }}", "LOVELACE, Ada"),
        ("{{ missing | upper }}", ""),
        ("{{ missing | default('none') }}", "none"),
        ("{{ otherTelephone | first }}", "1"),
        ("{{ givenName | first }}", "Ada"),
        ("{{ otherTelephone | last }}", "2"),
        ("{{ otherTelephone | join(' / ') }}", "1 / 2"),
        ("{{ otherTelephone }}", "1, 2"),
        ("{{ otherTelephone | upper }}", "1, 2"),
        ("{{ otherTelephone | replace(', ', '/') }}", "1/2"),
        ("{{ otherTelephone ~ '!' }}", "1, 2!"),
        ("{{ mail | replace('@', ' at ') }}", "ada at x.test"),
        ("{% if title %}{{ title }}{% else %}{{ sn }}{% endif %}", "Lovelace"),
        ("{{ givenName[0:1] ~ sn[0:1] }}", "AL"),
        ("  {{ givenName }}  ", "Ada"),
    ],
)
def test_expressions_say_what_they_mean(source: str, value: str) -> None:
    """Attribute names and templates, in any case, over single and several values, and over none."""
    assert compile_expression(source)(ADA) == value


def test_an_expression_knows_what_it_reads() -> None:
    """The attributes to ask the directory for, in lower case, without the built-in names."""
    assert compile_expression("{{ displayName or cn }} {{ netbios }} {{ guid }}").attributes == {
        "displayname",
        "cn",
    }


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ givenName.format(x=1) }}",
        "{{ ''['__class__'].x }}",
        "{{ [].append(1) }}",
        "{{ self }}{{ self._TemplateReference__context }}",
        "{% for a in 'x' %}{% for b in 'y' %}z{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ range(1000000000) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ lipsum(100000) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ 'a' | format }}",
        "{{ 'x' | attr('__class__') }}",
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ '" + "x" * 3000 + "' }}",
        "{{",
        "{% if %}",
        "{{ a | nosuchfilter }}",
        "not an attribute",
        "",
    ],
)
def test_what_a_template_may_not_do_is_refused(source: str) -> None:
    """Escapes, loops, and bombs of time or size are refused when they are compiled, at once."""
    begun = time.process_time()
    with pytest.raises(ExpressionError):
        compile_expression(source)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("source", ["{{ x['__class__'] }}", "{{ 1 / 0 }}"])
def test_what_fails_on_a_value_is_an_error_of_that_field(source: str) -> None:
    """A template that fails on somebody raises what mapping catches, without the values."""
    with pytest.raises(ExpressionError, match="failed") as caught:
        compile_expression(source)(ADA)
    assert "Ada" not in str(caught.value)


def test_a_result_is_bounded() -> None:
    """Repeated replacing cannot grow a value without end."""
    source = "{{ x" + " | replace('a', 'aaaaaaaaaa')" * 12 + " }}"
    begun = time.process_time()
    assert len(compile_expression(source)({"x": "a" * 100})) <= MAX_RESULT
    with pytest.raises(ExpressionError, match="characters"):
        compile_expression("{{ x ~ x ~ x }}")({"x": "a" * MAX_RESULT})
    assert time.process_time() - begun < 1


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(sorted(ADA)), st.text(max_size=20)))
def test_any_text_is_compiled_or_refused(source: str, values: dict[str, str]) -> None:
    """Whatever stands in a file, the answer is a value or the product's own error."""
    for text in (source, f"{{{{ {source} }}}}", f"{{% {source} %}}"):
        try:
            result = compile_expression(text)(values)
        except ExpressionError:
            continue
        assert isinstance(result, str)
        assert len(result) <= MAX_RESULT


@given(st.text(max_size=50), st.integers(1, 40))
def test_cutting_keeps_whole_characters_and_the_width(text: str, width: int) -> None:
    """A cut text fits in UTF-16 units, begins as the text does, and is cut no further by a second cut."""
    short = cut(text, width)
    assert len(short.encode("utf-16-le", "surrogatepass")) <= 2 * width or short == text.rstrip()
    assert text.startswith(short)
    assert cut(short, width) == short
