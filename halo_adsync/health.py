"""Health: can the app work at all? Answers also when nothing of the configuration is right."""

from typing import Any

from halo_adsync.bootstrap import app
from halo_adsync.errors import HaloAdSyncError


def health() -> dict[str, Any]:
    """Return `status` (`ok` or `unhealthy`) and what to mend; nothing of any customer."""
    try:
        customers = len(app().store().customer_ids())
    except HaloAdSyncError as error:
        return {"status": "unhealthy", "problems": str(error).splitlines()}
    return {"status": "ok", "customers": customers, "problems": []}
