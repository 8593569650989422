"""Notices: when a trouble is the same, when it is over, and what Teams and Slack are sent."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from devstack.certificates import CertificateAuthority
from halo_adsync.customer_terms import Notify
from halo_adsync.errors import ConfigurationError, Refused, Unavailable
from halo_adsync.halo.tickets import encode_note, has_note
from halo_adsync.model import RunId
from halo_adsync.notify import Message, body_for, post
from halo_adsync.notifying import bad_news, cause_of, is_over, without_people
from halo_adsync.plan.types import Violation
from halo_adsync.state.notices import MOST, Trouble, troubles_of, troubles_row
from halo_adsync.state.runs import Run, Status
from tests.support.plan import customer
from tests.support.runs import run
from tests.support.webhook import serve_webhook, text_of

MESSAGE = Message("Contoso: failed", ("<!channel> [Ann & Bob](https://evil.example)", "Run 1"))


def violation(rule: str, count: int = 1) -> Violation:
    """Return a limit that is broken."""
    return Violation(rule, 1, count, count, 10, f"{count} for {rule}")


def failed(message: str, cause: str = "HaloUnavailable") -> Run:
    """Return a run that could not go on."""
    return run("full", "11-23T12:00", Status.FAILED, message=message, cause=cause)


def blocked(*violations: Violation) -> Run:
    """Return a run that broke these limits."""
    return run("full", "11-23T12:00", Status.BLOCKED, violations=violations, digest="d")


def nothing(_: str) -> None:
    """Know no other address."""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (failed("Halo answered 502 after 3 tries."), failed("Halo answered 503 after 4 tries."), True),
        (failed("Halo did not answer."), failed("Halo did answer."), False),
        (failed("No."), failed("No.", "HaloRefused"), False),
        (blocked(violation("create", 4)), blocked(violation("create", 5)), True),
        (blocked(violation("create")), blocked(violation("shrink_percent")), False),
        (blocked(violation("a"), violation("b")), blocked(violation("b"), violation("a")), True),
        (run("full", "11-23T12:00", Status.PARTIAL), run("delta", "11-23T13:00", Status.PARTIAL), True),
        (run("full", "11-23T12:00", Status.PARTIAL), failed("No."), False),
    ],
)
def test_a_cause_is_the_same_whatever_its_numbers(one: Run, other: Run, *, same: bool) -> None:
    """Numbers, and the order of limits, make no other cause."""
    assert (cause_of(one) == cause_of(other)) is same


def test_a_cause_does_not_depend_on_the_run_it_names() -> None:
    """A sentence may say how to look at the run."""
    one, other = failed(""), failed("")
    assert one.id != other.id
    both = (replace(each, message=f"See `halo-adsync run contoso {each.id}`.") for each in (one, other))
    assert len(set(map(cause_of, both))) == 1


@pytest.mark.parametrize(
    ("kind", "mode", "by", "parked", "over"),
    [
        (Status.FAILED, "reconcile", "delta", True, True),
        (Status.BLOCKED, "full", "delta", False, False),
        (Status.BLOCKED, "full", "full", True, True),
        (Status.BLOCKED, "full", "reconcile", False, True),
        (Status.BLOCKED, "delta", "delta", False, True),
        (Status.PARTIAL, "full", "delta", False, False),
        (Status.PARTIAL, "full", "full", False, True),
        (Status.PARTIAL, "full", "full", True, False),
    ],
)
def test_a_trouble_is_over_when_a_run_shows_it(
    kind: Status, mode: str, by: str, *, parked: bool, over: bool
) -> None:
    """A lighter run that goes well says nothing of a heavier one's plan."""
    assert is_over(Trouble(RunId("r"), mode, kind), run(by, "11-23T13:00"), parked=parked) is over


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("The entry CN=O'Neill\\, Ann,OU=Leeds,DC=x is", "The entry CN=…,OU=Leeds,DC=x is"),
        ("ann.oneill@corp.example was refused", "…@corp.example was refused"),
        ("Set it with `halo-adsync approve contoso 1`.", "Set it with `halo-adsync approve contoso 1`."),
    ],
)
def test_a_notice_names_nobody(text: str, left: str) -> None:
    """What may be a person's name or address is cut out of the sentence of a cause."""
    assert without_people(text) == left
    assert bad_news(customer(), failed(text)).lines[0] == left


def test_a_block_that_tells_nobody_is_refused() -> None:
    """It looks as if somebody were told."""
    with pytest.raises(ValidationError, match="must have a webhook, a ticket, or both"):
        Notify.model_validate({"on": ["failed"]})


def test_many_limits_are_shown_in_part() -> None:
    """Ten, and how many more."""
    lines = bad_news(customer(), blocked(*(violation(f"site{n}") for n in range(12)))).lines
    assert lines[10] == "And 2 limits more."
    assert "halo-adsync approve" in lines[-1]


def test_slack_gets_text_in_which_nothing_is_a_command() -> None:
    """Escaped as Slack wants it, and without its mark-up."""
    assert body_for("https://hooks.slack.com/services/T/B/x", MESSAGE) == {
        "text": "Contoso: failed\n&lt;!channel&gt; [Ann &amp; Bob](https://evil.example)\nRun 1",
        "mrkdwn": False,
    }


def test_teams_gets_a_card_of_plain_text() -> None:
    """An adaptive card, as a workflow that posts to a channel takes it; text runs know no mark-up."""
    body = body_for("https://x.logic.azure.com/workflows/1?sig=y", MESSAGE)
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
    )
    assert attachment["content"]["type"] == "AdaptiveCard"
    assert text_of(body) == "\n".join((MESSAGE.title, *MESSAGE.lines))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "http://hooks.example/hunter2",
        "https://hunter2@hooks.example/",
        "https://h/hunter2\r\nX: y",
        "https://hooks.example/hunter2 é",
        "ftp://localhost/hunter2",
    ],
)
def test_what_is_no_safe_address_is_refused_and_not_repeated(url: str) -> None:
    """It is a secret, though perhaps another one."""
    with pytest.raises(ConfigurationError, match=r"notify\.webhook") as caught:
        post(url, MESSAGE, nothing)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Refused),
        (400, Refused),
        (404, Refused),
        (408, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
    ],
)
def test_another_answer_than_success_is_an_error(status: int, error: type[Exception]) -> None:
    """A redirection is not followed: it could carry the notice elsewhere."""
    with serve_webhook() as hook:
        hook.statuses["/hook"] = status
        with pytest.raises(error, match=f"HTTP {status}"):
            post(hook.url, MESSAGE, nothing)
        assert hook.asked == ["/hook?sig=s3cret"]


def test_nobody_there_is_an_error_without_the_address() -> None:
    """The server is gone."""
    with serve_webhook() as hook:
        pass
    with pytest.raises(Unavailable, match="ConnectionRefusedError") as caught:
        post(hook.url, MESSAGE, nothing)
    assert "s3cret" not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that an authority of this machine vouches for is not."""
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_path, issued.key_path)
    with serve_webhook(context) as hook:
        with pytest.raises(Refused, match="not trusted"):
            post(hook.url, MESSAGE, nothing)
        assert hook.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_path))
        post(hook.url, MESSAGE, nothing)
        assert len(hook.bodies) == 1


def test_the_latest_causes_are_remembered() -> None:
    """A row holds so many; they are read as they were written."""
    many = {f"c{n}": Trouble(RunId(f"{n:04}"), "full", Status.FAILED, ("webhook",)) for n in range(MOST + 5)}
    kept = troubles_of(troubles_row("contoso", many))
    assert kept == {cause: trouble for cause, trouble in many.items() if trouble.run >= RunId("0005")}


NOTE = "What was told of run 1 is over.\nRun 2 <b>"


@pytest.mark.parametrize(
    ("action", "there"),
    [
        ({"note": "What was told of run 1 is over.  Run 2"}, True),
        ({"note": "what was told of run 1 is o..."}, False),
        ({"note_html": "<p>What was told&nbsp;of run 1<br/>is over.</p>"}, True),
        ({"note": "What was told of run 11 is over."}, False),
        ({"note": None, "note_html": None}, False),
        ({}, False),
    ],
)
def test_a_note_is_known_by_its_first_line(action: dict[str, str | None], *, there: bool) -> None:
    """As text or as HTML, whole or cut off behind that line."""
    assert has_note([{"note": "Looking into it"}, action], NOTE) is there


def test_a_note_is_text_whatever_stands_in_it() -> None:
    """Halo shows HTML."""
    assert encode_note(7, NOTE)["note_html"] == "What was told of run 1 is over.<br>Run 2 &lt;b&gt;"
