"""Where the emulator listens: a port of a loopback address, or a Unix domain socket."""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

__all__ = ["Port", "UnixSocket"]

_LONGEST_PATH = 100
"""The kernels' limit lies at 104 to 108 bytes."""

_TAKEN = (
    "can't be bound, another process may have it: stop that one, or take another port (0 takes free ones)"
)


@dataclass
class Port:
    """A TCP port.

    Args:
        host: A loopback address, or `localhost`.
        number: 0 takes a free one, and keeps it from then on.
    """

    host: str
    number: int

    @property
    def address(self) -> str:
        """Return `host:port`, as clients write it."""
        return self._written(self.number)

    @property
    def next_address(self) -> str:
        """Return the same of the port after this one."""
        return self._written(self.number + 1)

    def bind(self, server: grpc.aio.Server, credentials: grpc.ServerCredentials | None = None) -> None:
        """Make a server listen here.

        Raises:
            OSError: The port is taken.
        """
        try:
            self.number = _add(server, self.address, credentials)
        except RuntimeError as error:
            raise OSError(
                f"port: {self.address} can't be bound, another process (an emulator?) may have it. "
                "End that one, or take another port; 0 takes a free one"
            ) from error

    def _written(self, number: int) -> str:
        return f"[{self.host}]:{number}" if ":" in self.host else f"{self.host}:{number}"

    def open_next(self) -> list[socket.socket]:
        """Open the port after this one, for HTTP, on each address of the host.

        If this one is still to be chosen, it is now: so that both are free.

        Raises:
            OSError: It is taken.
        """
        number = self.number + 1 if self.number else 0
        opened: list[socket.socket] = []
        try:
            for family, _, _, _, (address, *_) in socket.getaddrinfo(self.host, 0, type=socket.SOCK_STREAM):
                listener = _listener(family, str(address), number)
                if listener is not None:
                    opened.append(listener)
                    number = listener.getsockname()[1]
        except OSError as error:
            for listener in opened:
                listener.close()
            raise OSError(f"port: {self._written(number)}, for HTTP, {_TAKEN}") from error
        if opened:
            self.number = number - 1
        return opened


@dataclass
class UnixSocket:
    """A Unix domain socket: who may not enter its folder can't connect.

    Args:
        file: Where it lies.
    """

    file: Path

    @property
    def address(self) -> str:
        """Return `unix:FILE`, as gRPC's clients write it."""
        return f"unix:{self.file.absolute()}"

    def bind(self, server: grpc.aio.Server, credentials: grpc.ServerCredentials | None = None) -> None:
        """Make a server listen here.

        Raises:
            OSError: The path is too long, others may enter its folder, or somebody listens here already.
        """
        file = self.file.absolute()
        if len(os.fsencode(file)) > _LONGEST_PATH:
            raise OSError(f"unix_socket: {file} is longer than {_LONGEST_PATH} bytes: take a shorter path")
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            problem = f"unix_socket: the folder {file.parent} can't be made: {error.strerror}"
            raise OSError(problem) from error
        _check_folder(file.parent)
        if _is_answered(file):
            raise OSError(f"unix_socket: another process listens at {file}")
        try:
            _add(server, self.address, credentials)
        except RuntimeError as error:
            raise OSError(f"unix_socket: {file} can't be made") from error


def _listener(family: socket.AddressFamily, address: str, number: int) -> socket.socket | None:
    """Return a bound socket; None where the machine has no such address, as with `localhost` and IPv6."""
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, number))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return listener


def _add(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    if credentials is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, credentials)


def _check_folder(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise OSError(
            f"unix_socket: others may enter {folder}: who reaches the socket runs commands as you. "
            f"Take a folder of your own and run: chmod 700 {folder}"
        )


def _is_answered(file: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(file))
        except OSError:
            return False
    return True
