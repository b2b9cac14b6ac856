"""The example DAGs and their training code, laid where a person can read and change them."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["IMAGE", "lay_out"]

IMAGE = "us-docker.pkg.dev/acme/trainers/digits"

_SOURCE = Path(__file__).parents[1] / "example_dags"


def lay_out(folder: Path) -> Path:
    """Copy the example DAGs into a folder, which is made if needed. A file that is there stays as it is.

    Args:
        folder: The dags folder of an Airflow.

    Returns:
        The folder in it that stands for the examples' image.
    """
    for source in _SOURCE.rglob("*"):
        target = folder / source.relative_to(_SOURCE)
        if source.is_file() and source.suffix != ".pyc" and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return folder / "digits_image"
