"""The example DAGs and their training code, laid where a person can read and change them."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["lay_out"]

_IMAGES = {
    "us-docker.pkg.dev/acme/trainers/digits": "digits_image",
    "us-docker.pkg.dev/acme/trainers/digits-distributed": "digits_distributed_image",
}

_SOURCE = Path(__file__).parents[1] / "example_dags"


def lay_out(folder: Path) -> dict[str, Path]:
    """Copy the example DAGs into a folder, which is made if needed. A file that is there stays as it is.

    Args:
        folder: The dags folder of an Airflow.

    Raises:
        ValueError: The folder can't be made, or not be written.

    Returns:
        The folders in it that stand for the examples' images, by the images' names.
    """
    try:
        for source in _SOURCE.rglob("*"):
            target = folder / source.relative_to(_SOURCE)
            if source.is_file() and source.suffix != ".pyc" and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    except OSError as error:
        raise ValueError(
            f"examples: must be a folder that can be written, {folder}: {error.strerror}"
        ) from error
    return {image: folder / name for image, name in _IMAGES.items()}
