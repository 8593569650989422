"""The control API below `/_control/`: a test steers a simulated Halo that runs in another process.

| request                       | effect                                                                  |
|-------------------------------|-------------------------------------------------------------------------|
| `GET state`                   | everything stored, each table as a list                                 |
| `POST reset`                  | no records, faults, tokens or log; switches stay                        |
| `GET requests`                | the request log: lists of method, path, status and element count        |
| `DELETE requests`             | empties the log and begins a new rate-limit window                      |
| `POST clients`, `sites`, `users`, `agents` | adds one record with the fields of the body, answers `{"id"}` |
| `POST tickets`                | adds a ticket: `{"user_id", "open", "agent_id"}`, answers `{"id"}`      |
| `POST tickets/{id}/close`     | closes a ticket                                                         |
| `GET`, `POST`, `DELETE faults` | lists faults, adds one (the attributes of `Fault`), removes all        |
| `GET`, `POST switches`        | shows the switches, sets some by name                                   |
| `POST tokens/revoke`          | ends every bearer token                                                 |

It asks for no sign-in and counts towards no limit: it listens on loopback only.
"""

import json
from typing import TYPE_CHECKING, Any

from .messages import Answer, Request
from .writing import BusinessRuleError

if TYPE_CHECKING:
    from .simulation import SimulatedHalo

PREFIX = "/_control/"


def answer(halo: "SimulatedHalo", request: Request) -> Answer:
    """Answer a request of the control API; a wrong one with 400 or 404 and a sentence."""
    action = request.path.removeprefix(PREFIX)
    try:
        with halo.store.lock:
            body = _act(halo, request.method, action, json.loads(request.body or "{}"))
    except (ValueError, KeyError, TypeError, BusinessRuleError) as error:
        return Answer.json({"error": f"{request.method} {request.path} failed: {error}"}, 400)
    if body is None:
        return Answer.json({"error": f"There is no {request.method} {request.path} here."}, 404)
    return Answer.json(body)


def _act(halo: "SimulatedHalo", method: str, action: str, body: dict[str, Any]) -> Any:
    """Carry an action out; None when there is none of that name."""
    match method, action.split("/"):
        case "GET", ["state"]:
            return halo.store.as_json()
        case "POST", ["reset"]:
            halo.reset()
        case "POST", ["tokens", "revoke"]:
            halo.revoke_tokens()
        case "POST", ["tickets", key, "close"]:
            halo.close_ticket(int(key))
        case _, ["requests" | "faults" | "switches" as collection]:
            return _collection(halo, method, collection, body)
        case "POST", ["clients" | "sites" | "users" | "agents" | "tickets" as table]:
            return {"id": halo.add_ticket(**body) if table == "tickets" else halo.add(table, **body)}
        case _:
            return None
    return {}


def _collection(halo: "SimulatedHalo", method: str, collection: str, body: dict[str, Any]) -> Any:
    match method, collection:
        case "GET", "requests":
            return halo.requests
        case "DELETE", "requests":
            halo.forget_requests()
        case "GET", "faults":
            return halo.faults.as_json()
        case "POST", "faults":
            halo.faults.add(**body)
        case "DELETE", "faults":
            halo.faults.clear()
        case "GET", "switches":
            return halo.switches.as_json()
        case "POST", "switches":
            halo.switches.change(body)
        case _:
            return None
    return {}
