"""How to reach one Entra tenant."""

import re
from dataclasses import dataclass, field

from halo_adsync.errors import ConfigurationError
from halo_adsync.loopback import is_protected
from halo_adsync.model import Renewed, unchanged

_KEY = re.compile(r"-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EntraConfig:
    """One tenant, and the application to sign in as."""

    tenant: str
    client_id: str
    pem: str = field(repr=False)
    """The application's private key, without a pass phrase, and its certificate, in any order."""
    login_url: str
    graph_url: str
    renewed: Renewed = field(default=unchanged, repr=False, compare=False)
    """Tells whether key and certificate were rotated, when they are refused."""

    def __post_init__(self) -> None:
        """Refuse an address that the assertion, the token and the users would be sent to in clear.

        Raises:
            ConfigurationError: one is neither https nor on this machine.
        """
        for name, url in (("login_url", self.login_url), ("graph_url", self.graph_url)):
            if not is_protected(url):
                raise ConfigurationError(
                    f"login.entra.{name} must begin with https:// (http:// is for this machine only)."
                )

    def credential(self) -> dict[str, str]:
        """Return key and certificate as msal takes them.

        Raises:
            ConfigurationError: one of them is not there.
        """
        key, certificates = _KEY.search(self.pem), _CERTIFICATE.findall(self.pem)
        if key is None or not certificates:
            raise bad_certificate()
        return {"private_key": key[0], "public_certificate": "\n".join(certificates)}


def bad_certificate() -> ConfigurationError:
    """Return the error of a secret that holds no usable key and certificate."""
    return ConfigurationError(
        "login.entra.certificate: the secret must hold a certificate and its RSA private key without a pass"
        " phrase, both in PEM form (a Key Vault certificate of content type PEM is of that form)."
    )
