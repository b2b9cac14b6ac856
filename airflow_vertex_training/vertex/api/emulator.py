"""Whether calls go to the emulator, and where it is. Light to import: no client library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.exceptions import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Mapping

EMULATOR_VARIABLE = "VERTEX_AI_EMULATOR_HOST"

_UNIX = "unix:"


class EmulatorVariableMissingError(Exception):
    """A job was made on the emulator, and this process does not know where that is."""

    def __init__(self, message: str = f"{EMULATOR_VARIABLE} is not set here") -> None:
        super().__init__(message)


def emulator_address(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the emulator's address, or ``None`` where calls go to Vertex AI.

    Args:
        environ: the environment; default that of the process.

    Returns:
        ``host[:port]``, or ``unix:FILE`` for a Unix domain socket: what gRPC takes as a target.

    Raises:
        InvalidJobError: the variable is neither.
    """
    address = (os.environ if environ is None else environ).get(EMULATOR_VARIABLE) or None
    if address is None:
        return None
    if address.startswith(_UNIX):
        if not address.removeprefix(_UNIX).startswith("/"):
            raise InvalidJobError(
                EMULATOR_VARIABLE, f"{address!r} is no absolute path; write unix:/FOLDER/FILE"
            )
        return address
    check_address(EMULATOR_VARIABLE, address)
    return address


def check_address(name: str, address: str) -> None:
    """Refuse what is no ``host[:port]``.

    Args:
        name: what the error calls it.
        address: what was written.

    Raises:
        InvalidJobError: a URL, a path, or a broken port.
    """
    host, _, port = address.partition(":")
    if "/" in address or not host or (port and not port.isdecimal() and not address.startswith("[")):
        raise InvalidJobError(name, f"{address!r} is no address; write HOST or HOST:PORT, without https://")
