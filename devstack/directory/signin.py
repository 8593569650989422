"""Simple binds as Active Directory judges them, with its error texts (MS-ADTS, 5.1.1.1; winerror.h)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from devstack.directory import names
from devstack.directory.edits import DISABLED
from devstack.directory.protocol import INVALID_CREDENTIALS, STRONGER_AUTH_REQUIRED, OperationError

if TYPE_CHECKING:
    from devstack.directory.objects import Object
    from devstack.directory.tree import Tree

NO_SUCH_USER, WRONG_PASSWORD, ACCOUNT_DISABLED = "525", "52e", "533"
ACCOUNT_EXPIRED, MUST_CHANGE_PASSWORD, ACCOUNT_LOCKED = "701", "773", "775"

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_NEVER = (0, 0x7FFFFFFFFFFFFFFF)


def refused(data: str) -> OperationError:
    """The error of a refused sign-in; `data` is the reason's Windows error code in hexadecimal."""
    text = f"80090308: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data {data}, v4563"
    return OperationError(INVALID_CREDENTIALS, text)


def tls_required() -> OperationError:
    """The error of a simple bind over a connection without TLS."""
    text = (
        "00002028: LdapErr: DSID-0C090259, comment: The server requires binds to turn on integrity checking "
        "if SSL\\TLS are not already active on the connection, data 0, v4563"
    )
    return OperationError(STRONGER_AUTH_REQUIRED, text)


def sign_in(tree: Tree, name: str, password: bytes) -> Object:
    r"""Check a name (UPN, DN or `DOMAIN\user`) and a password, and return the account.

    As on a real controller, who does not know the password learns of the account only that it is locked.

    Raises:
        OperationError: result 49, with Active Directory's reason in its text.
    """
    account = _account(tree, name)
    if account is None:
        raise refused(NO_SUCH_USER)
    if account.number("lockouttime"):
        raise refused(ACCOUNT_LOCKED)
    if password not in account.get("userpassword"):
        raise refused(WRONG_PASSWORD)
    if account.number("useraccountcontrol") & DISABLED:
        raise refused(ACCOUNT_DISABLED)
    if _has_expired(account.number("accountexpires")):
        raise refused(ACCOUNT_EXPIRED)
    if account.text("pwdlastset") == "0":
        raise refused(MUST_CHANGE_PASSWORD)
    return account


def _account(tree: Tree, name: str) -> Object | None:
    if "=" in name:
        found = tree.find(name)
        return found if found and found.get("samaccountname") else None
    domain, backslash, account = name.rpartition("\\")
    if backslash and domain.casefold() != tree.netbios.casefold():
        return None
    user, _, suffix = name.partition("@")
    wanted = account if backslash else user if suffix.casefold() == tree.dns_domain.casefold() else None
    for entry in tree.walk():
        if not backslash and entry.text("userprincipalname").casefold() == name.casefold():
            return entry
        if wanted and entry.text("samaccountname").casefold() == wanted.casefold():
            return entry
    return None


def _has_expired(ticks: int) -> bool:
    """`accountExpires` counts units of 100 ns since 1601; two values mean never."""
    return ticks not in _NEVER and _EPOCH + timedelta(microseconds=ticks // 10) < datetime.now(UTC)


def authorization_id(tree: Tree, account: Object) -> str:
    r"""Return an account as the "Who am I?" operation names it, `u:DOMAIN\user` (RFC 4532)."""
    return f"u:{tree.netbios}\\{account.text('samaccountname') or names.rdn_value(account.dn)}"
