"""Drives Microsoft's own Functions worker library (`azure-functions-runtime`) in this process.

The library indexes `function_app.py` and calls its functions as it does in Azure, and refuses what Azure
refuses. It keeps its state in module variables: one app per process.
"""

from __future__ import annotations

import json
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import azure_functions_runtime as runtime  # type: ignore[import-untyped]  # it ships no types

from devstack.protos import PROTOS, Message, ParameterBinding, StatusResult, TypedData

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Binding = dict[str, Any]


class WorkerLoadError(RuntimeError):
    """The worker refuses the app; the text is the worker's own."""


class InvocationError(RuntimeError):
    """A function raised, or its answer does not fit its bindings.

    Attributes:
        stack_trace: The function's traceback as the worker reports it.
    """

    def __init__(self, message: str, stack_trace: str) -> None:
        super().__init__(message)
        self.stack_trace = stack_trace


@dataclass(frozen=True)
class Function:
    """A function as the worker indexed it.

    Attributes:
        name: Unique in the app.
        id: The worker's own id.
        trigger: The trigger's binding as in a function.json: `type`, `name`, and what its kind adds.
        outputs: The output bindings, in the same form.
    """

    name: str
    id: str
    trigger: Binding
    outputs: tuple[Binding, ...]


@dataclass(frozen=True)
class Outcome:
    """What a function gave back.

    Attributes:
        returned: The value of `$return` (or of an HTTP function); None without one.
        outputs: The values set on output parameters, by parameter.
    """

    returned: TypedData | None
    outputs: Mapping[str, TypedData]


class Worker:
    """The worker with one app loaded; `load` makes it.

    Attributes:
        functions: All functions of the app by name.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions

    @classmethod
    async def load(cls, app_dir: Path) -> Worker:
        """Indexes the `function_app.py` of a folder, which is put first on the module search path.

        Raises:
            WorkerLoadError: There is no such file, or the worker refuses it.
        """
        if not (app_dir / "function_app.py").exists():
            raise WorkerLoadError(f"There is no function_app.py in {app_dir}.")
        sys.path.insert(0, str(app_dir))
        request = Message(worker_init_request=Message(capabilities={}, function_app_directory=str(app_dir)))
        answer = await runtime.worker_init_request(
            Message(request=request, properties={"host": "127.0.0.1", "protos": PROTOS})
        )
        if answer.result.status != StatusResult.Success:
            raise WorkerLoadError(answer.result.exception.message)
        metadata = await runtime.functions_metadata_request(None)
        runtime.start_threadpool_executor()
        return cls({function.name: function for function in _functions(metadata.function_metadata_results)})

    async def invoke(
        self, function: Function, data: TypedData, metadata: Mapping[str, TypedData] | None = None
    ) -> Outcome:
        """Calls a function.

        Args:
            function: One of `functions`.
            data: The trigger's value.
            metadata: What the trigger tells about itself, for queues `Id`, `DequeueCount` and so on.

        Raises:
            InvocationError: The function failed.
        """
        invocation = Message(
            invocation_id=str(uuid.uuid4()),
            function_id=function.id,
            input_data=[ParameterBinding(name=function.trigger["name"], data=data)],
            trigger_metadata=dict(metadata or {}),
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = await runtime.invocation_request(Message(request=Message(invocation_request=invocation)))
        if answer.result.status != StatusResult.Success:
            exception = answer.result.exception
            raise InvocationError(exception.message, exception.stack_trace)
        outputs = {binding.name: binding.data for binding in answer.output_data}
        return Outcome(answer.return_value, outputs)

    def stop(self) -> None:
        """Waits for the functions that still run in the worker's threads."""
        runtime.stop_threadpool_executor()


def _functions(results: list[Message] | None) -> Iterator[Function]:
    for result in results or []:
        bindings: list[Binding] = [json.loads(raw) for raw in result.raw_bindings]
        trigger = next(binding for binding in bindings if binding["type"].endswith("Trigger"))
        outputs = tuple(binding for binding in bindings if binding["direction"] == "OUT")
        yield Function(result.name, result.function_id, trigger, outputs)
