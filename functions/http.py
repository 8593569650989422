"""HTTP for the triggers: JSON in, JSON out, and problem documents (RFC 9457) for what goes wrong."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any

import azure.functions as func

from halo_adsync.errors import Busy, ConfigurationError, HaloAdSyncError, NotFound, Unavailable

MAX_BODY = 64 * 1024


class Body:
    """The JSON object that a request brought; an empty body is an empty object.

    Raises:
        ConfigurationError: it is none.
    """

    def __init__(self, req: func.HttpRequest) -> None:
        raw = req.get_body()
        try:
            data = json.loads(raw) if raw.strip() and len(raw) <= MAX_BODY else {} if not raw.strip() else None
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise ConfigurationError('The body must be a JSON object, such as {"mode": "full"}, of at most 64 KiB.')
        self._data: Mapping[str, Any] = data

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of the choices."""
        value = self._data.get(name, default)
        if value not in choices:
            raise ConfigurationError(f"{name} must be one of {', '.join(choices)}.")
        return str(value)

    def flag(self, name: str) -> bool:
        """Return true or false; false where it is not given."""
        value = self._data.get(name, False)
        if not isinstance(value, bool):
            raise ConfigurationError(f"{name} must be true or false.")
        return value


def answer(data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """Return JSON."""
    text = json.dumps(data, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status, headers=dict(headers or {}), mimetype="application/json")


def problems(function: Callable[[func.HttpRequest], func.HttpResponse]) -> Callable[[func.HttpRequest], func.HttpResponse]:
    """Answer the product's errors as problem documents."""

    @wraps(function)
    def guarded(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return function(req)
        except HaloAdSyncError as error:
            return _problem(error)

    return guarded


def _problem(error: HaloAdSyncError) -> func.HttpResponse:
    status = _status(error)
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": str(error)}
    text = json.dumps(document, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status.value, mimetype="application/problem+json")


def _status(error: HaloAdSyncError) -> HTTPStatus:
    if isinstance(error, NotFound):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, ConfigurationError):
        return HTTPStatus.BAD_REQUEST
    if isinstance(error, Busy):
        return HTTPStatus.CONFLICT
    return HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, Unavailable) else HTTPStatus.BAD_GATEWAY
