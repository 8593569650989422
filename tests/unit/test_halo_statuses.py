"""Unit: from what Halo answered to the exception that says what to do next."""

import pytest

from halo_adsync.errors import Doubtful, HaloRefused, HaloUnavailable, RecordRejected
from halo_adsync.halo.hiding import Hiding
from halo_adsync.halo.statuses import LONGEST_SENTENCE, complaint, failure, redact, sentence, warning

NOTHING = Hiding(())
"""No secret is to be struck out."""


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (302, HaloRefused, HaloRefused),
        (400, HaloRefused, RecordRejected),
        (401, HaloRefused, HaloRefused),
        (403, HaloRefused, HaloRefused),
        (404, HaloRefused, RecordRejected),
        (405, HaloRefused, HaloRefused),
        (408, HaloUnavailable, Doubtful),
        (409, HaloRefused, RecordRejected),
        (413, HaloRefused, RecordRejected),
        (422, HaloRefused, RecordRejected),
        (429, HaloUnavailable, HaloUnavailable),
        (500, HaloUnavailable, Doubtful),
        (502, HaloUnavailable, Doubtful),
        (503, HaloUnavailable, Doubtful),
    ],
)
def test_the_table(status: int, read: type[Exception], write: type[Exception]) -> None:
    """Each status has its class, for a read and for a write."""
    assert type(failure(status, b"", NOTHING, what="GET /Users")) is read
    assert type(failure(status, b"", NOTHING, what="POST /Users", write=True)) is write


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error":"invalid_client","error_description":"Wrong secret."}', "Wrong secret."),
        ('{"error":"invalid_scope"}', "invalid_scope"),
        ('{"resultCode":"E1","errorMessage":"No such site."}', "No such site."),
        ('{"ClassName":"System.Exception","Message":"It broke."}', "It broke."),
        ('{"Message":"It broke."}', "It broke."),
        ('{"[0].site_id":["Not a number."],"[1].name":["Too long.","No."]}',
         "[0].site_id: Not a number.; [1].name: Too long. No."),
        ('{"title":"Errors occurred.","errors":{"$[0].id":["Not a number."]}}', "$[0].id: Not a number."),
        ('[{"Message":"One."},{"Message":"Two."}]', "One.; Two."),
        ('"Just text"', "Just text"),
        ("Rate Limit Reached", "Rate Limit Reached"),
        ("", ""),
        ("{}", ""),
        ("null", ""),
        ("<html><title>502\n Bad</title>x</html>", 'a page of HTML, probably a gateway\'s ("502 Bad")'),
        ("<h1>Sorry</h1>", "a page of HTML, probably a gateway's"),
    ],
)  # fmt: skip
def test_every_error_body_becomes_a_sentence(body: str, said: str) -> None:
    """All shapes that Halo and gateways are known to use are read."""
    assert sentence(body.encode(), NOTHING) == said


def test_a_refusal_without_a_body_says_what_to_do() -> None:
    """A bare 403 still ends in advice."""
    text = str(failure(403, b"", NOTHING, what="POST /Users", write=True))
    assert text.startswith("POST /Users was answered with 403: ")
    assert text.endswith("API settings.")


def test_personal_data_and_secrets_are_struck_out() -> None:
    """Addresses and the values that were sent disappear, in whatever case; words that contain them stay."""
    text = "ANN SMITH <ann@example.test> at Annual Anne; token s3cr3t!"
    assert redact(text, {"Ann Smith", "Ann", "s3cr3t!", "at"}) == "(…) <(…)> at Annual Anne; token (…)"


def test_a_long_text_is_cut_to_one_line() -> None:
    """A stack trace does not flood a log."""
    line = redact("word\n" * 1000, ())
    assert "\n" not in line
    assert len(line) == LONGEST_SENTENCE + 1


def test_what_a_success_says_besides() -> None:
    """Warnings and complaints are read from records, and nothing from anything else."""
    assert warning({"id": 1, "_warning": " Careful. "}) == "Careful."
    assert warning([1]) == ""
    assert complaint({"error": "invalid_request", "error_description": "No."}) == "No."
    assert complaint(None) == ""
    assert complaint({"name": "Ann", "title": "Clerk"}) == ""
