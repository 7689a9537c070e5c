"""A certificate authority for one test run, and servers' certificates that are good, of another name, or of nobody."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KeyPair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True)
class Authority:
    """The contexts that the tests use."""

    trusting: ssl.SSLContext  # a client that trusts this authority
    good: ssl.SSLContext  # a server called localhost, at 127.0.0.1
    other_name: ssl.SSLContext  # a server with a certificate for another host
    untrusted: ssl.SSLContext  # a server whose certificate nobody signed
    expired: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    root = _certificate("ordo test authority", None, [], authority=True)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    (folder / "authority.pem").write_bytes(root[0].public_bytes(serialization.Encoding.PEM))
    trusting.load_verify_locations(cafile=folder / "authority.pem")
    here: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    elsewhere: list[x509.GeneralName] = [x509.DNSName("broker.example")]
    return Authority(
        trusting,
        _server(folder / "good.pem", _certificate("localhost", root, here)),
        _server(folder / "other.pem", _certificate("broker.example", root, elsewhere)),
        _server(folder / "untrusted.pem", _certificate("localhost", None, here)),
        _server(folder / "expired.pem", _certificate("localhost", root, here, days=-1)),
    )


def _certificate(
    name: str, issuer: KeyPair | None, names: list[x509.GeneralName], *, authority: bool = False, days: int = 2
) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_key_of(issuer[1] if issuer else key), critical=False)  # strict clients ask for both
        .add_extension(_usage(authority), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def _key_of(signer: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _server(path: Path, pair: KeyPair) -> ssl.SSLContext:
    certificate, key = pair
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
