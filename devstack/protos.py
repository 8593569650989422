"""The messages that the Functions host and its Python worker exchange, as plain objects.

Field and message names are those of Microsoft's FunctionRpc.proto. The worker library takes the message
classes as an argument, so classes that merely behave like the generated ones do, and no protobuf is needed.
"""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace


class Message(SimpleNamespace):
    """A message with any fields."""


class TypedData(Message):
    """A value of one kind: `string`, `bytes`, `json`, `http`, outgoing also `int`, `double`; or nothing."""

    def WhichOneof(self, _oneof: str) -> str | None:  # noqa: N802 - protobuf's name
        """Names the kind."""
        return next(iter(vars(self)), None)


class ParameterBinding(Message):
    """A function's parameter: `name` and `data`, a TypedData."""

    def WhichOneof(self, _oneof: str) -> str:  # noqa: N802 - protobuf's name
        """Always `data`; shared memory is not used here."""
        return "data"


class StatusResult(Message):
    """How a request ended."""

    Failure = 0
    Success = 1


class BindingInfo(Message):
    """A binding as the worker declares it."""

    undefined = None
    out = 1
    inout = 2


class RpcHttpCookie(Message):
    """A cookie of an HTTP answer."""

    SameSite = Enum("SameSite", {"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


_PLAIN = (
    "FunctionMetadataResponse",
    "InvocationResponse",
    "NullableBool",
    "NullableDouble",
    "NullableString",
    "NullableTimestamp",
    "RpcException",
    "RpcFunctionMetadata",
    "RpcHttp",
    "RpcRetryOptions",
    "Timestamp",
    "WorkerInitResponse",
    "WorkerMetadata",
)

PROTOS = SimpleNamespace(
    TypedData=TypedData,
    ParameterBinding=ParameterBinding,
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    RpcHttpCookie=RpcHttpCookie,
    **dict.fromkeys(_PLAIN, Message),
)
