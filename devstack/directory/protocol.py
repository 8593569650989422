"""Result codes and object identifiers of LDAP (RFC 4511) and of Active Directory (MS-ADTS, 3.1.1.3.4)."""

from __future__ import annotations

SUCCESS, OPERATIONS_ERROR, PROTOCOL_ERROR, SIZE_LIMIT_EXCEEDED, AUTH_METHOD_NOT_SUPPORTED = 0, 1, 2, 4, 7
STRONGER_AUTH_REQUIRED, UNAVAILABLE_CRITICAL_EXTENSION, NO_SUCH_OBJECT = 8, 12, 32
INVALID_CREDENTIALS, INSUFFICIENT_ACCESS_RIGHTS, UNWILLING_TO_PERFORM = 49, 50, 53

PAGED = "1.2.840.113556.1.4.319"
DOMAIN_SCOPE = "1.2.840.113556.1.4.1339"
SHOW_DELETED = "1.2.840.113556.1.4.417"
SHOW_RECYCLED = "1.2.840.113556.1.4.2064"
DIRSYNC = "1.2.840.113556.1.4.841"
EXTENDED_DN = "1.2.840.113556.1.4.529"
SUPPORTED_CONTROLS = (PAGED, DOMAIN_SCOPE, SHOW_DELETED, SHOW_RECYCLED, DIRSYNC, EXTENDED_DN)

START_TLS = "1.3.6.1.4.1.1466.20037"
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"


class OperationError(Exception):
    """The operation ends with a result code other than success."""

    def __init__(self, code: int, message: str, matched_dn: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.matched_dn = code, message, matched_dn
