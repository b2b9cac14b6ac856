"""Folders for cloud storage.

On Vertex `AIP_MODEL_DIR` is a `gs://` URI, Cloud Storage is mounted at `/gcs`, and training code writes to
`os.environ["AIP_MODEL_DIR"].replace("gs://", "/gcs/")`. Nothing can be mounted at `/gcs` here without root.
So the emulator says `gs://BUCKET/path` as the absolute path `STORAGE/BUCKET/path`: that line of code leaves
it as it is, and the result is a folder that can be written to. The same goes for `gs://` and `/gcs/` at the
start of the user's own command, arguments and environment values, or after the first `=` of one
(`--output=gs://...`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow_vertex_training.emulator.jobs.failures import CannotRun

__all__ = ["Storage"]

_CLOUD_PATH = re.compile(r"(?P<before>(?:[^=\s]*=)?)(?:gs://|/gcs/)(?P<path>[^/\s].*)", re.DOTALL)


@dataclass(frozen=True)
class Storage:
    """The folder in which buckets lie."""

    folder: Path

    def local(self, uri: str) -> Path:
        """Return the path for a `gs://` or `file://` URI.

        Raises:
            CannotRun: The path leaves its bucket.
        """
        if uri.startswith("file://"):
            return Path(unquote(urlsplit(uri).path))
        return self._inside(uri.removeprefix("gs://"))

    def translate(self, text: str) -> str:
        """Return a text with a cloud path at its start, or after its first `=`, as a path here.

        Raises:
            CannotRun: The path leaves its bucket.
        """
        found = _CLOUD_PATH.fullmatch(text)
        if found is None:
            return text
        self._inside(found["path"])
        return f"{found['before']}{self.folder}/{found['path']}"

    def _inside(self, path: str) -> Path:
        """An object's name may hold `..`; as a path it would lead to other buckets, and out of the folder."""
        depth = 0
        for part in path.split("/"):
            depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
            if depth < 1:
                raise CannotRun(
                    f"gs://{path} leaves its bucket: on the emulator that is a folder. Write no '..'."
                )
        return self.folder / path
