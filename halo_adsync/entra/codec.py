"""Users as Microsoft Graph lists them, brought into the domain's form. Pure.

Source: Microsoft Graph, resource type user (v1.0). `onPremisesImmutableId` is, unless somebody chose another
anchor, the base64 of the sixteen bytes of the objectGUID (or of mS-DS-ConsistencyGuid, which begins as its
copy).
"""

import base64
import binascii
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from halo_adsync.model import EntraAccount, ObjectGuid

SELECT = "id,onPremisesImmutableId,accountEnabled,userPrincipalName"
"""The properties that are asked for."""


def accounts_in(page: Mapping[str, Any]) -> Iterator[tuple[ObjectGuid, EntraAccount]]:
    """Yield the accounts of a page that come from a directory, with the objectGUID there.

    Raises:
        ValueError: the page is not of Graph's form.
    """
    users = page.get("value")
    if not isinstance(users, list):
        raise ValueError("a page without a list of users")  # noqa: TRY004 - it is the answer that is wrong
    for user in users:
        if not isinstance(user, dict) or not isinstance(user.get("id"), str) or not user["id"]:
            raise ValueError("a user without an id")
        guid = guid_of(user.get("onPremisesImmutableId"))
        if guid is not None:
            principal = user.get("userPrincipalName")
            name = principal if isinstance(principal, str) else ""
            yield (
                guid,
                EntraAccount(user["id"], enabled=user.get("accountEnabled") is not False, principal=name),
            )


def guid_of(immutable_id: Any) -> ObjectGuid | None:
    """Return the objectGUID that an immutable id stands for; None where it stands for something else."""
    if not isinstance(immutable_id, str):
        return None
    try:
        data = base64.b64decode(immutable_id, validate=True)
        return ObjectGuid(str(uuid.UUID(bytes_le=data)))
    except (binascii.Error, ValueError):
        return None
