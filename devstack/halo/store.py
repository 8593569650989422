"""The records of the simulated Halo: tables by id, undo, and a file that outlives the process."""

import json
import threading
from pathlib import Path
from typing import Any

from .schema import Record

GENERAL_USER = "General User"
CLIENT_GENERAL_USER_ID = -1

# Each table counts from its own number, so that an id used with the wrong table is an unknown id.
_FIRST_IDS = {"agents": 1, "clients": 11, "sites": 101, "users": 1001, "tickets": 20001, "actions": 1}
_SUPPORT_ROLE = "6f3f3c39-8f5c-4a2e-9d43-0d3a5f3b1c01"
_ADMIN_ROLE = "6f3f3c39-8f5c-4a2e-9d43-0d3a5f3b1c02"


def _field_info() -> list[Record]:
    """Custom fields of users: a text with a limit, one choice, a date, a tick and a table.

    The types 2 (one choice) and 3 (several) were seen in use; the other numbers are inferred.
    """
    sizes = {"id": 1, "name": "Small"}, {"id": 2, "name": "Large"}
    kinds: list[Record] = [
        {"name": "CFStaffNumber", "label": "Staff number", "type": 0, "characterlimit": 20},
        {"name": "CFShirt", "label": "Shirt", "type": 2, "values": [*sizes]},
        {"name": "CFStarted", "label": "Started", "type": 4},
        {"name": "CFFirstAider", "label": "First aider", "type": 6},
        {"name": "CFKeys", "label": "Keys", "type": 7},
    ]
    usual = {"usage": 2, "characterlimit": 0, "characterlimittype": 0, "inputtype": 0, "values": []}
    return [{"id": 201 + number, **usual, **kind} for number, kind in enumerate(kinds)]


def _catalogs() -> dict[str, list[Record]]:
    return {
        "teams": [{"id": 1, "name": "1st Line Support"}, {"id": 2, "name": "2nd Line Support"}],
        "roles": [{"id": _SUPPORT_ROLE, "name": "Support"}, {"id": _ADMIN_ROLE, "name": "Administrator"}],
        "user_roles": [{"id": 1, "name": "User"}, {"id": 2, "name": "Manager"}],
        "field_info": _field_info(),
        "toplevels": [{"id": 1, "name": "Customers"}],
        "lookups": [{"id": 1, "lookupid": 33, "name": "Normal"}],
        "ldap_connections": [],
    }


class Store:
    """All records, shared by every request under `lock`.

    Attributes:
        tables: `users`, `sites`, `clients`, `agents`, `tickets` and `actions` on these, each a dict of plain
            dicts by id.
        catalogs: what an administrator sets up, as plain lists that may be changed: `teams`, `roles`,
            `user_roles`, `field_info`, `toplevels`, `lookups`, `ldap_connections`.
        general_users: ids of the users that stand for "somebody at this site".
        violations: sentences on writes that Halo allows and no client should do.
        lock: held for the whole of a read or write.
        dirty: set when a record changed since the last save.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.dirty = threading.Event()
        self.tables: dict[str, dict[int, Record]] = {name: {} for name in _FIRST_IDS}
        self.catalogs: dict[str, list[Record]] = {}
        self.general_users: set[int] = set()
        self.violations: list[str] = []
        self._last_ids: dict[str, int] = {}
        self._undo: list[tuple[str, int, Record | None]] = []
        self.reset()

    def reset(self) -> None:
        """Forget every record; the dicts and lists stay the same objects."""
        with self.lock:
            for table in self.tables.values():
                table.clear()
            for name, rows in _catalogs().items():
                self.catalogs.setdefault(name, [])[:] = rows
            self.violations.clear()
            self.general_users.clear()
            self.general_users.add(CLIENT_GENERAL_USER_ID)
            self._last_ids = {name: first - 1 for name, first in _FIRST_IDS.items()}
            self.put("users", {"id": CLIENT_GENERAL_USER_ID, "name": GENERAL_USER, "inactive": False})
            self.commit()

    def new_id(self, table: str) -> int:
        """The next free id of a table; ids are never given twice, not even after an undo."""
        self._last_ids[table] += 1
        return self._last_ids[table]

    def put(self, table: str, record: Record) -> None:
        """Store a record under its `id`, in place of what was there."""
        rows, key = self.tables[table], int(record["id"])
        self._undo.append((table, key, rows.get(key)))
        rows[key] = record
        self.dirty.set()

    def commit(self) -> None:
        """Keep what was put since the last commit."""
        self._undo.clear()

    def rollback(self) -> None:
        """Undo what was put since the last commit."""
        while self._undo:
            table, key, before = self._undo.pop()
            if before is None:
                del self.tables[table][key]
            else:
                self.tables[table][key] = before

    def as_json(self) -> dict[str, Any]:
        """Everything that a save keeps; a table is a list of its records."""
        return {
            **{name: list(rows.values()) for name, rows in self.tables.items()},
            "catalogs": self.catalogs,
            "general_users": sorted(self.general_users),
            "violations": self.violations,
            "last_ids": self._last_ids,
        }

    def save(self, path: Path) -> None:
        """Write all records to `path`, which at every moment holds a whole save: the old or the new."""
        with self.lock:
            self.dirty.clear()
            text = json.dumps(self.as_json())
        draft = path.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)

    def load(self, path: Path) -> None:
        """Take over the records of an earlier `save`."""
        state = json.loads(path.read_text(encoding="utf-8"))
        with self.lock:
            for name, rows in self.tables.items():
                rows.clear()
                rows.update({int(record["id"]): record for record in state.get(name, [])})
            for name, entries in state["catalogs"].items():
                self.catalogs[name][:] = entries
            self.general_users = set(state["general_users"])
            self.violations[:] = state["violations"]
            self._last_ids |= state["last_ids"]
