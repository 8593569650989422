"""HTTP for the triggers: JSON in, JSON out, and problem documents (RFC 9457) for what goes wrong."""

import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any

import azure.functions as func
from pydantic import BaseModel, ConfigDict, ValidationError

from halo_adsync.errors import (
    BadRequest,
    Busy,
    ConfigurationError,
    HaloAdSyncError,
    NotAllowed,
    NotApproved,
    NotFound,
    NotSignedIn,
    Unavailable,
)
from halo_adsync.state.runs import Run, Status
from halo_adsync.yaml_text import MAX_CHARACTERS

MAX_BODY = 64 * 1024
"""Bytes; no JSON object that this API takes is anywhere near."""
MAX_FILE = 4 * MAX_CHARACTERS
"""Bytes of a customer file: what its longest text may take in UTF-8."""
LONGEST_STEP = 80
"""Characters that an error shows of a key."""

type Handler = Callable[[func.HttpRequest], func.HttpResponse]


class Body(BaseModel):
    """The JSON object that a request brings. An unknown key is an error: it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """What stands behind the question mark of an address. An unknown name is an error here, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BadBodyError(BadRequest):
    """The request's body, or its query, is not what the route takes; the text says where."""


class WrongMediaError(BadRequest):
    """The request does not say that its body is of a kind that the route takes."""


def read_body[Model: Body](req: func.HttpRequest, model: type[Model]) -> Model:
    """Read a request's body; an empty one is an empty object.

    Raises:
        BadBodyError: it is no JSON object of this form.
    """
    raw = _bytes_of(req, MAX_BODY)
    return _checked(lambda: model.model_validate_json(raw.strip() or b"{}"))


def read_query[Model: Query](req: func.HttpRequest, model: type[Model]) -> Model:
    """Read what a request asks for in its address, but for the function key, which is the host's.

    Raises:
        BadBodyError: it is not what the route takes.
    """
    asked = {name: text for name, text in req.params.items() if name != "code"}
    return _checked(lambda: model.model_validate(asked))


def read_text(req: func.HttpRequest) -> str:
    """Read a body that is a text of its own, such as a customer file.

    Raises:
        BadBodyError: it is no UTF-8, or too long.
    """
    try:
        return _bytes_of(req, MAX_FILE).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadBodyError("The body is no text in UTF-8.") from None


def person_key(req: func.HttpRequest) -> str:
    """Return the person that a route names: a GUID, DN, logon name, UPN or mail address.

    The Functions host decodes a route's parts, but for `%2F`: it would tear the path apart (ASP.NET Core).
    """
    return re.sub("%2f", "/", req.route_params["key"], flags=re.IGNORECASE)


def answer(
    data: Mapping[str, Any], status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """Return JSON."""
    return _response(data, status, "application/json", headers)


def answer_csv(text: str, name: str) -> func.HttpResponse:
    """Return a table as a file to save under that name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return func.HttpResponse(text, headers=headers, mimetype="text/csv", charset="utf-8")


def run_accepted(customer: str, run: str) -> func.HttpResponse:
    """Return 202 for a run that a worker takes up: its id, and the address of its status."""
    address = f"/api/customers/{customer}/runs/{run}"
    accepted = {"run": run, "customer": customer, "status": "queued", "status_url": address}
    return answer(accepted, HTTPStatus.ACCEPTED, {"Location": address, "Retry-After": "5"})


def run_answer(run: Run, document: Mapping[str, Any]) -> func.HttpResponse:
    """Return what a run that was done here and now came to; 202 where it goes on without the caller."""
    if run.status.is_open:
        return run_accepted(run.customer, run.id)
    if run.status is Status.SKIPPED:
        return _problem(HTTPStatus.CONFLICT, run.message, run=run.id)
    if run.status is Status.FAILED:
        ours = run.cause == "configuration"
        status = HTTPStatus.INTERNAL_SERVER_ERROR if ours else HTTPStatus.BAD_GATEWAY
        return _problem(status, run.message, run=run.id)
    return answer(document)


def problems(handler: Handler) -> Handler:
    """Answer the product's errors as problem documents."""

    @wraps(handler)
    def guarded(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return handler(req)
        except HaloAdSyncError as error:
            return problem(error)

    return guarded


def problem(error: HaloAdSyncError) -> func.HttpResponse:
    """Return an error's problem document; what is wrong with a request stands in `errors`, one by one."""
    more = {}
    if isinstance(error, BadRequest):
        more["errors"] = [{"detail": sentence} for sentence in error.problems]
    return _problem(_status(error), str(error), **more)


def _problem(status: HTTPStatus, detail: str, **more: Any) -> func.HttpResponse:
    document = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail, **more}
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else None
    return _response(document, status, "application/problem+json", headers)


def _bytes_of(req: func.HttpRequest, most: int) -> bytes:
    raw = req.get_body()
    if len(raw) > most:
        raise BadBodyError(f"The body is longer than {most // 1024} KiB.")
    return raw


def _checked[Model](read: Callable[[], Model]) -> Model:
    """Return what is read; the refusal is no child of pydantic's error, which holds what was sent."""
    try:
        return read()
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
    raise BadBodyError([_problem_of(problem["loc"], problem["msg"]) for problem in problems])


def _problem_of(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(step)[:LONGEST_STEP] for step in place) or "The body"
    return f"{where}: {message}."


def _response(
    data: Mapping[str, Any], status: int, media_type: str, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    text = json.dumps(data, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status, headers=dict(headers or {}), mimetype=media_type)


def _status(error: HaloAdSyncError) -> HTTPStatus:
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


_STATUSES: tuple[tuple[type[HaloAdSyncError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (NotApproved, HTTPStatus.CONFLICT),
    (WrongMediaError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (BadRequest, HTTPStatus.BAD_REQUEST),
    (NotSignedIn, HTTPStatus.UNAUTHORIZED),
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (Busy, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (ConfigurationError, HTTPStatus.INTERNAL_SERVER_ERROR),  # the app's own settings, or a kept file
    (HaloAdSyncError, HTTPStatus.BAD_GATEWAY),
)
"""The status that answers each error; the first that fits counts."""
