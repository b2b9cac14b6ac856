from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from airflow_vertex_training.emulator.process import EmulatorProcess, launch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """An emulator for all tests, in a process of its own; a project of its own keeps each test apart."""
    storage = tmp_path_factory.mktemp("storage")
    arguments = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")
    with launch(*arguments, "--storage", str(storage)) as running:
        yield running


@pytest.fixture
def project() -> str:
    """The id of a project that no other test uses."""
    return f"project-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class TlsFiles:
    """A private certificate authority, and what it signed for `localhost`."""

    ca: Path
    cert: Path
    key: Path


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """PEM files of a certificate authority made for this session.

    grpc reads the CA's path, `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`, once in a process: set it for a subprocess.
    """
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = dt.datetime.now(dt.timezone.utc)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def certificate(name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
            )
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    folder = tmp_path_factory.mktemp("tls")
    files = TlsFiles(ca=folder / "ca.pem", cert=folder / "server.pem", key=folder / "server.key")
    files.ca.write_bytes(certificate(ca_name, ca_key, ca=True))
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    files.cert.write_bytes(certificate(server_name, server_key, ca=False))
    files.key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


@pytest.fixture(scope="session")
def tls_emulator(tls_files: TlsFiles) -> Iterator[EmulatorProcess]:
    """As `emulator`, behind TLS: a client reaches it as `localhost` only, and has to trust `tls_files.ca`."""
    arguments = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "2")
    tls = ("--host", "localhost", "--tls-cert", str(tls_files.cert), "--tls-key", str(tls_files.key))
    with launch(*arguments, *tls) as running:
        yield running
