"""What a domain controller's result codes mean, in words for people."""

import re
from typing import Any

from ldap3.core.results import (
    RESULT_ADMIN_LIMIT_EXCEEDED,
    RESULT_BUSY,
    RESULT_INVALID_CREDENTIALS,
    RESULT_REFERRAL,
    RESULT_SIZE_LIMIT_EXCEEDED,
    RESULT_STRONGER_AUTH_REQUIRED,
    RESULT_TIME_LIMIT_EXCEEDED,
    RESULT_UNAVAILABLE,
)

# Microsoft's error codes in the text of a refused bind (winerror.h, in hexadecimal).
_BIND_REASONS = {
    "525": "there is no such account; put its UPN, DOMAIN\\name or DN into bind.user",
    "52e": "the password is wrong; put the right one into the secret that bind.password names (it was tried "
    "once only, because repeated attempts lock the account)",
    "530": "it may not sign in at this hour; widen its logon hours",
    "531": "it may not sign in from this computer; widen the list of its workstations",
    "532": "its password has expired; set a new one that does not expire",
    "533": "it is disabled; enable it",
    "701": "the account has expired; move its expiry date",
    "773": "its password must be changed at the next sign-in; set a new one without that condition",
    "775": "it is locked out; unlock it and find out who tries wrong passwords",
}
_BIND_REASON = re.compile(r"\bdata ([0-9a-fA-F]{1,8})\b")
_RESULTS = {
    RESULT_TIME_LIMIT_EXCEEDED: "ran into its time limit",
    RESULT_SIZE_LIMIT_EXCEEDED: "cut its answer off at its size limit",
    RESULT_REFERRAL: "does not hold this part of the directory and refers to another server",
    RESULT_ADMIN_LIMIT_EXCEEDED: "ran into an administrative limit",
    RESULT_BUSY: "is busy",
    RESULT_UNAVAILABLE: "is not available now",
}


def failure_reason(result: dict[str, Any]) -> str:
    """Say why an operation did not succeed; the sentence lacks its subject, the server.

    Args:
        result: ldap3's result of the operation.
    """
    code = result["result"]
    return _RESULTS.get(code, f"ended an operation with result {code} ({result['description']})")


def bind_reason(result: dict[str, Any]) -> str:
    """Say why an account was refused, and what to do.

    Args:
        result: ldap3's result of the bind.
    """
    if result["result"] == RESULT_STRONGER_AUTH_REQUIRED:
        return "it takes no password without TLS; set tls to ldaps or starttls"
    match = _BIND_REASON.search(result["message"] or "")
    if result["result"] == RESULT_INVALID_CREDENTIALS and match:
        code = match[1].lower()
        return _BIND_REASONS.get(
            code, f"Windows error {code} (hexadecimal); look it up in Microsoft's winerror.h"
        )
    return f"result {result['result']} ({result['description']})"
