"""Python packages of a job: unpacked and put on the path of the interpreter, never installed.

Installing may ask an index for what a package requires, and runs its code. So what it requires has to be
there: in the Python of the executor image (`--python URI=PYTHON`).
"""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.jobs.failures import CannotRun

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["unpack"]


def unpack(files: Sequence[Path], folder: Path) -> list[Path]:
    """Unpack wheels and source distributions.

    Args:
        files: `.whl`, `.tar.gz`, `.tgz` or `.zip`.
        folder: Where to; is made.

    Returns:
        The folders to put on the path.

    Raises:
        CannotRun: A file is missing, or is no Python package.
    """
    found = []
    for number, file in enumerate(files):
        target = folder / str(number)
        target.mkdir(parents=True)
        try:
            if file.suffix in (".whl", ".zip"):
                with zipfile.ZipFile(file) as wheel:
                    wheel.extractall(target)  # noqa: S202 - it leaves out '..' and leading slashes itself
            else:
                with tarfile.open(file) as archive:
                    _extract(archive, target)
        except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise CannotRun(
                f"package_uris: {file} can't be unpacked: {error}. On the emulator gs://BUCKET lies in its "
                "storage folder: put a wheel or a source distribution there, or write file:///PATH."
            ) from error
        found += _roots(target)
    return found


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    for member in archive:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise tarfile.TarError(f"it has a file outside of itself, {member.name}")
        here = target / path
        content = archive.extractfile(member) if member.isfile() else None
        if content is not None:  # folders are made with their files; links are no part of a package
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_bytes(content.read())


def _roots(target: Path) -> list[Path]:
    """A wheel's files lie at its root; a source distribution's in its one folder, or in `src` there."""
    entries = list(target.iterdir())
    is_source = len(entries) == 1 and any((entries[0] / name).exists() for name in ("PKG-INFO", "setup.py"))
    top = entries[0] if is_source else target
    return [each for each in (top / "src", top) if each.is_dir()]
