"""Notices: of which trouble people were told, so that each cause is told once. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from halo_adsync.model import RunId
from halo_adsync.state.rows import pack_text, to_json, unpack_text
from halo_adsync.state.runs import Status
from halo_adsync.state.shapes import build, reads
from halo_adsync.state.table import Row

KEY = "last-notice"
MODES = ("delta", "full", "reconcile")
"""The modes of runs, from the lightest to the one that looks at everything."""
MOST = 50
"""How many causes are remembered; the latest stay."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One cause for which runs did not go well."""

    run: RunId
    """The run that met with it first."""
    mode: str
    """The mode of that run."""
    kind: Status
    """`blocked`; `partial` where single records failed; `failed` where the run could not go on."""
    told: tuple[str, ...] = ()
    """By which ways people were told."""


type Troubles = Mapping[str, Trouble]
"""What is not over yet, by its cause."""


def troubles_row(customer: str, troubles: Troubles) -> Row:
    """Write what people were told of."""
    latest = sorted(troubles.items(), key=lambda item: item[1].run)[-MOST:]
    text = to_json({cause: asdict(trouble) for cause, trouble in latest})
    return Row(customer, KEY, pack_text("data", text))


@reads
def troubles_of(row: Row) -> dict[str, Trouble]:
    """Read what people were told of."""
    troubles: Mapping[str, Trouble] = build(
        Mapping[str, Trouble], json.loads(unpack_text("data", row.values))
    )
    if any(trouble.mode not in MODES for trouble in troubles.values()):
        raise ValueError("a mode that no run has")
    return dict(troubles)
