"""A private certificate authority, for servers that tests and benchmarks start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class TlsFiles:
    """A private certificate authority, and what it signed for `localhost`.

    grpc reads the CA's path, `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH`, once in a process: set it for a subprocess.
    """

    ca: Path
    cert: Path
    key: Path

    @property
    def emulator_arguments(self) -> tuple[str, ...]:
        """What makes an emulator serve by them."""
        return ("--host", "localhost", "--tls-cert", str(self.cert), "--tls-key", str(self.key))


def make_tls_files(folder: Path) -> TlsFiles:
    """Write PEM files of a new certificate authority and of a server's certificate into a folder."""
    files = TlsFiles(ca=folder / "ca.pem", cert=folder / "server.pem", key=folder / "server.key")
    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(files.ca)
    server.cert_chain_pems[0].write_to_path(files.cert)
    server.private_key_pem.write_to_path(files.key)
    return files
