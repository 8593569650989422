"""HTTP for the triggers: JSON in, JSON out, and problem documents (RFC 9457) for what goes wrong."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any

import azure.functions as func
from pydantic import BaseModel, ConfigDict, ValidationError

from halo_adsync.errors import Busy, ConfigurationError, HaloAdSyncError, NotFound, Unavailable

MAX_BODY = 64 * 1024
"""Bytes; no body that this API takes is anywhere near."""

type Handler = Callable[[func.HttpRequest], func.HttpResponse]


class Body(BaseModel):
    """The JSON object that a request brings. An unknown key is an error: it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BadBodyError(ConfigurationError):
    """The request's body is not what the route takes; the text says where."""


def read_body[Model: Body](req: func.HttpRequest, model: type[Model]) -> Model:
    """Read a request's body; an empty one is an empty object.

    Raises:
        BadBodyError: it is no JSON object of this form.
    """
    raw = req.get_body()
    if len(raw) > MAX_BODY:
        raise BadBodyError(f"The body is longer than {MAX_BODY // 1024} KiB.")
    try:
        return model.model_validate_json(raw.strip() or b"{}")
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
    raise BadBodyError([_problem_of(problem["loc"], problem["msg"]) for problem in problems])


def answer(
    data: Mapping[str, Any], status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """Return JSON."""
    return _response(data, status, "application/json", headers)


def problems(handler: Handler) -> Handler:
    """Answer the product's errors as problem documents."""

    @wraps(handler)
    def guarded(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return handler(req)
        except HaloAdSyncError as error:
            status = _status(error)
            document = {"type": "about:blank", "title": status.phrase, "status": status, "detail": str(error)}
            return _response(document, status, "application/problem+json")

    return guarded


def _problem_of(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(map(str, place)) or "The body"
    return f"{where}: {message}."


def _response(
    data: Mapping[str, Any], status: int, media_type: str, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    text = json.dumps(data, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status, headers=dict(headers or {}), mimetype=media_type)


def _status(error: HaloAdSyncError) -> HTTPStatus:
    match error:
        case NotFound():
            return HTTPStatus.NOT_FOUND
        case BadBodyError():
            return HTTPStatus.BAD_REQUEST
        case Busy():
            return HTTPStatus.CONFLICT
        case Unavailable():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case ConfigurationError():  # the app's own settings, or a customer's file
            return HTTPStatus.INTERNAL_SERVER_ERROR
        case _:
            return HTTPStatus.BAD_GATEWAY
