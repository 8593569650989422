"""A throw-away certificate authority, so that TLS is checked in the demo and in tests as it is in the field.

Everything is written as PEM into one folder; nothing here is meant to protect anything.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ServerCertificate:
    """Where a server's certificate and its private key lie, both PEM."""

    certificate_path: Path
    key_path: Path


class CertificateAuthority:
    """An authority of its own, made anew on each construction.

    Attributes:
        ca_path: the authority's certificate (PEM), which clients are told to trust.
    """

    def __init__(self, folder: Path, name: str = "Halo AD Sync development CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        self.ca_path = folder / "ca.pem"
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key(), valid_days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *hosts: str, valid_days: int = 30) -> ServerCertificate:
        """Issue a server certificate.

        Args:
            hosts: DNS names and IP addresses that it is good for; the first also names the files.
            valid_days: days until it expires; negative for a certificate that has expired already.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(_common_name(hosts[0]), self._name, key.public_key(), valid_days=valid_days)
            .add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        stem = hosts[0].replace(":", "-")
        issued = ServerCertificate(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        issued.certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        # Samba refuses to start with a key that others may read.
        issued.key_path.touch(mode=0o600)
        issued.key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, valid_days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    ends = now + timedelta(days=valid_days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, ends) - timedelta(days=1))
        .not_valid_after(ends)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def application_pem(name: str = "halo-adsync") -> str:
    """Return an RSA key and a certificate for it, as an application signs in to Entra with: PEM, in a row."""
    key = rsa.generate_private_key(65537, 2048)
    now, subject = datetime.now(UTC), _common_name(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (secret + certificate.public_bytes(serialization.Encoding.PEM)).decode()
