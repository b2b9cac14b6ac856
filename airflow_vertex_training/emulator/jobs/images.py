"""What is known of a container image: a local folder stands for it, and `emulator.toml` in it says the rest.

    # ./trainer/emulator.toml
    entrypoint = ["python", "-m", "trainer"]  # as ENTRYPOINT in a Dockerfile
    command = ["--epochs", "3"]  # as CMD: where the job gives neither command nor args
    working_directory = "src"    # as WORKDIR; default: the folder itself
    python = ".venv"             # a virtual environment, or an interpreter; default: the emulator's own

    [environment]                # as ENV
    DATA = "small"

Paths are relative to the folder. All keys are optional; without the file a job needs a `command`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.emulator.jobs.failures import CannotRun

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Image", "Images"]

_FILE = "emulator.toml"
_KEYS = ("entrypoint", "command", "working_directory", "python", "environment")


@dataclass(frozen=True)
class Image:
    """What stands for an image here.

    Args:
        uri: Its URI.
        folder: Where its replicas work; None is an empty folder for each.
        entrypoint: What it runs unless the job says so.
        command: The entry point's arguments, unless the job has some.
        python: The interpreter that `python` and `python3` are.
        environment: Its variables.
    """

    uri: str
    folder: Path | None = None
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)

    def command_line(self, command: Sequence[str], args: Sequence[str]) -> list[str]:
        """Return what a container of this image runs.

        As in Docker, `command` replaces the entry point, and `args` its default arguments.

        Args:
            command: Of the job's `ContainerSpec`; may be empty.
            args: As above.

        Raises:
            CannotRun: The job has no command, and the image's entry point is not known.
        """
        if command:
            parts = [*command, *args]
        else:
            parts = [*self.entrypoint, *(args or self.command)]
            if not self.entrypoint and (args or not parts):
                where = (
                    self.folder / _FILE
                    if self.folder
                    else f"{_FILE} in a folder for --image {self.uri}=FOLDER"
                )
                raise CannotRun(
                    f"The job has no command, and the emulator does not know the entry point of {self.uri}: "
                    f'write entrypoint = ["PROGRAM", ...] into {where}, or give the job a command.'
                )
        return [str(self.python) if parts[0] in ("python", "python3") else parts[0], *parts[1:]]


class Images:
    """All images that something is known of.

    Args:
        folders: Which local folder stands for which URI. A URI without a tag stands for all tags.
        pythons: Which interpreter, or virtual environment, runs which image; wins over `emulator.toml`.
        any_image: Whether an image that nothing is known of runs its job's command in an empty folder.

    Raises:
        ValueError: A folder, an interpreter or an `emulator.toml` is wrong.
    """

    def __init__(self, folders: Mapping[str, Path], pythons: Mapping[str, Path], *, any_image: bool) -> None:
        self._folders = folders
        self._pythons = pythons
        self._any_image = any_image
        for uri in (*folders, *pythons):
            self._read(uri)

    def find(self, uri: str, *, is_executor: bool = False) -> Image:
        """Return what is known of an image; `emulator.toml` is read each time, so that it can be edited.

        Args:
            uri: With or without a tag.
            is_executor: Whether it runs a Python package, which needs no more of it than Python.

        Raises:
            CannotRun: Nothing is known of it, or its folder or `emulator.toml` became wrong.
        """
        if _of(self._folders, uri) is None and not self._any_image and not is_executor:
            raise CannotRun(
                f"Image {uri} not found: the emulator runs no containers, and no folder stands for this. "
                f"Start the emulator with --image {uri}=FOLDER, where FOLDER has what the image has in its "
                "working directory; or with --any-image, to run jobs' commands in an empty folder."
            )
        try:
            return self._read(uri)
        except ValueError as error:
            raise CannotRun(str(error)) from error

    def _read(self, uri: str) -> Image:
        folder = _of(self._folders, uri)
        settings = _settings(folder) if folder else {}
        python = _of(self._pythons, uri)
        if python is not None:
            interpreter = _interpreter(python, f"--python {uri}")
        elif folder and "python" in settings:
            interpreter = _interpreter(
                folder / Path(settings["python"]).expanduser(), f"{folder / _FILE}: python"
            )
        else:
            interpreter = Path(sys.executable)
        work = folder / settings.get("working_directory", "") if folder else None
        if folder and work is not None and not work.is_dir():
            said_in = (
                f"{folder / _FILE}: working_directory" if "working_directory" in settings else f"image {uri}"
            )
            raise ValueError(f"{said_in}: {work} is no folder")
        return Image(
            uri,
            work,
            tuple(settings.get("entrypoint", ())),
            tuple(settings.get("command", ())),
            interpreter,
            settings.get("environment", {}),
        )


def _of(paths: Mapping[str, Path], uri: str) -> Path | None:
    return paths.get(uri) or paths.get(_without_tag(uri))


def _settings(folder: Path) -> dict[str, Any]:
    file = folder / _FILE
    if not file.exists():
        return {}
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ValueError(f"{file}: {error}") from error
    for key, value in settings.items():
        if key not in _KEYS:
            raise ValueError(f"{file}: unknown key {key!r}; there are {', '.join(_KEYS)}")
        kind, is_right = _KINDS.get(key, _TEXT)
        if not is_right(value):
            raise ValueError(f"{file}: {key} must be {kind}, got {value!r}")
    return settings


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_environment(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(name and "=" not in name for name in value)
        and all(isinstance(text, str) for text in value.values())
    )


_TEXT = ("a text", lambda value: isinstance(value, str))
_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "entrypoint": ("a list of texts", _is_texts),
    "command": ("a list of texts", _is_texts),
    "environment": ("a table of texts, with no '=' in their names", _is_environment),
}


def _interpreter(path: Path, said_in: str) -> Path:
    # Not resolved: a virtual environment is known by the link that its interpreter is.
    path = path.expanduser().absolute()
    interpreter = path / "bin" / "python" if path.is_dir() else path
    if not (interpreter.is_file() and os.access(interpreter, os.X_OK)):
        what = "is no interpreter and no virtual environment" if path.exists() else "does not exist"
        raise ValueError(
            f"{said_in}: {path} {what}; name an interpreter or a virtual environment's folder, or leave "
            "python out for the emulator's own"
        )
    return interpreter


def _without_tag(uri: str) -> str:
    """The last colon starts a tag unless a slash follows: then it is a registry's port."""
    name = uri.partition("@")[0]
    before, _, after = name.rpartition(":")
    return before if before and "/" not in after else name
