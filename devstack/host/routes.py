"""HTTP triggers: route templates as ASP.NET reads them, access keys, and the host's own admin routes."""

from __future__ import annotations

import hmac
import json
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.responses import JSONResponse, Response

from devstack.protos import Message, TypedData
from devstack.worker import InvocationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from devstack.host.runner import Runner
    from devstack.host.settings import Keys
    from devstack.worker import Function, Worker

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": "[a-zA-Z]+",
    "guid": "[0-9a-fA-F-]{36}",
    "bool": "true|false",
}
KEY_HEADER = "x-functions-key"
SAME_SITE = {"Lax": "lax", "Strict": "strict", "ExplicitNone": "none"}
logger = logging.getLogger("devstack.host")


class Route:
    """One HTTP function with its template, such as `api/customers/{id}/runs/{run?}`."""

    def __init__(self, function: Function, prefix: str) -> None:
        binding = function.trigger
        template = f"{prefix}/{binding.get('route') or function.name}".strip("/")
        segments = [_segment(part) for part in template.split("/")]
        self.function = function
        self.methods = [method.upper() for method in binding.get("methods") or METHODS]
        self.level = str(binding.get("authLevel") or "FUNCTION").upper()
        self.template = template
        # Literal parts win over parameters, and those over the rest of a path, as in ASP.NET.
        self.rank = [rank for rank, _ in segments]
        self._pattern = re.compile("".join(pattern for _, pattern in segments) + "/?", re.IGNORECASE)

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The route's parameters when it serves this request, else None."""
        found = self._pattern.fullmatch(path)
        if found is None or method not in self.methods:
            return None
        return {name: value for name, value in found.groupdict().items() if value is not None}


class HttpFrontend:
    """Answers all requests: the functions' routes and `/admin`.

    Args:
        worker: The worker with the app loaded.
        runner: Calls functions.
        keys: The access keys.
        route_prefix: From host.json.
        run_now: Runs a function that is not an HTTP function, given an input text.
    """

    def __init__(
        self,
        worker: Worker,
        runner: Runner,
        keys: Keys,
        *,
        route_prefix: str,
        run_now: Callable[[Function, str], Awaitable[None]],
    ) -> None:
        self._worker = worker
        self._runner = runner
        self._keys = keys
        self._run_now = run_now
        http = (f for f in worker.functions.values() if f.trigger["type"] == "httpTrigger")
        self.routes = sorted(
            (Route(function, route_prefix) for function in http), key=lambda route: route.rank
        )

    async def answer(self, request: Request) -> Response:
        """Answers one request."""
        if request.url.path.lower().startswith("/admin/"):
            return await self._answer_admin(request)
        path = _decoded(request.scope["raw_path"].decode("ascii"))
        for route in self.routes:
            parameters = route.match(request.method, path)
            if parameters is not None:
                if not self._allowed(request, route.level):
                    return Response(status_code=401)
                return await self._call(route.function, request, parameters)
        return Response(status_code=404)

    def _allowed(self, request: Request, level: str) -> bool:
        if level == "ANONYMOUS":
            return True
        given = request.headers.get(KEY_HEADER) or request.query_params.get("code") or ""
        accepted = [self._keys.master] if level == "ADMIN" else [self._keys.master, self._keys.default]
        return any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted)

    async def _call(self, function: Function, request: Request, parameters: dict[str, str]) -> Response:
        body = await request.body()
        query = request.query_params
        http = Message(
            method=request.method,
            url=str(request.url),
            headers=dict(request.headers),
            body=TypedData(bytes=body) if body else TypedData(),
            params=parameters,
            query={name: ",".join(query.getlist(name)) for name in query},
        )
        try:
            returned = await self._runner.run(function, TypedData(http=http))
        except InvocationError as error:
            logger.error("%s failed: %s\n%s", function.name, error, error.stack_trace)  # noqa: TRY400 - theirs
            return Response(status_code=500)
        return _response(returned)

    async def _answer_admin(self, request: Request) -> Response:
        if not self._allowed(request, "ADMIN"):
            return Response(status_code=401)
        path = request.url.path.lower().rstrip("/")
        if request.method == "GET" and path == "/admin/host/status":
            return JSONResponse(
                {"id": "devstack", "state": "Running", "functions": sorted(self._worker.functions)}
            )
        named = {name.lower(): function for name, function in self._worker.functions.items()}
        function = named.get(path.removeprefix("/admin/functions/"))
        if request.method != "POST" or function is None or function.trigger["type"] == "httpTrigger":
            return Response(status_code=404)
        try:
            await self._run_now(function, _admin_input(await request.body()))
        except InvocationError as error:
            logger.error("%s failed: %s\n%s", function.name, error, error.stack_trace)  # noqa: TRY400 - theirs
            return Response(str(error), status_code=500)
        return Response(status_code=202)


def _decoded(path: str) -> str:
    """Decode a request's path as ASP.NET Core does: an encoded slash stays as it is, and parts nothing."""
    return "".join(
        part if part.lower() == "%2f" else unquote(part)
        for part in re.split("(%2f)", path, flags=re.IGNORECASE)
    )


def _segment(part: str) -> tuple[int, str]:
    """Rank and pattern of one part of a template."""
    match = re.fullmatch(r"\{(\*{0,2})(\w+)(?::(\w+))?(\?)?\}", part)
    if match is None:
        return 0, "/" + re.escape(part)
    star, name, constraint, optional = match.groups()
    if star:
        return 3, f"(?:/(?P<{name}>.*))?"
    pattern = f"/(?P<{name}>{CONSTRAINTS.get(constraint, '[^/]+')})"
    return (1 if constraint else 2), (f"(?:{pattern})?" if optional else pattern)


def _response(returned: TypedData | None) -> Response:
    kind = returned.WhichOneof("data") if returned is not None else None
    if returned is None or kind is None:
        return Response(status_code=204)
    if kind != "http":
        return Response(getattr(returned, kind), media_type="text/plain")
    http: Any = returned.http
    content = http.body.bytes if http.body.WhichOneof("data") == "bytes" else b""
    response = Response(content, status_code=int(http.status_code))
    for name, value in http.headers.items():
        if name.lower() != "content-length":
            response.headers[name] = value
    for cookie in http.cookies or []:
        _set_cookie(response, cookie)
    return response


def _set_cookie(response: Response, cookie: Any) -> None:
    def value(field: Any) -> Any:
        return field.value if field is not None else None

    age = value(cookie.max_age)
    response.set_cookie(
        cookie.name,
        cookie.value,
        max_age=None if age is None else int(age),
        path=value(cookie.path) or "/",
        domain=value(cookie.domain) or None,
        secure=bool(value(cookie.secure)),
        httponly=bool(value(cookie.http_only)),
        samesite=SAME_SITE.get(cookie.same_site.name),  # type: ignore[arg-type]  # only its three literals
    )


def _admin_input(body: bytes) -> str:
    """The `input` of `{"input": "..."}`, what the functions host takes for a manual run."""
    try:
        return str(json.loads(body or b"{}").get("input", ""))
    except (ValueError, AttributeError):
        return ""
