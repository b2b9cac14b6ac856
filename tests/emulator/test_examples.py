from __future__ import annotations

from pathlib import Path

import airflow_vertex_training
from airflow_vertex_training.emulator import examples


def test_examples_are_laid_out(tmp_path: Path) -> None:
    """A dags folder gets every example and the folder of their image, also where it has to be made."""
    dags = tmp_path / "airflow" / "dags"
    image = examples.lay_out(dags)["us-docker.pkg.dev/acme/trainers/digits"]
    source = Path(airflow_vertex_training.__file__).parent / "example_dags"
    expected = {file.relative_to(source) for file in source.rglob("*") if file.suffix != ".pyc"}
    assert {file.relative_to(dags) for file in dags.rglob("*")} == {
        path for path in expected if path.name != "__pycache__"
    }
    assert (image / "trainer.py").is_file()
    assert image.name in (dags / ".airflowignore").read_text()


def test_what_a_person_has_changed_stays(tmp_path: Path) -> None:
    """Laid out again, a file that is there is left as it is, and one that is missing comes back."""
    image = examples.lay_out(tmp_path)["us-docker.pkg.dev/acme/trainers/digits"]
    (image / "trainer.py").write_text("mine")
    (tmp_path / "digits.py").unlink()
    examples.lay_out(tmp_path)
    assert (image / "trainer.py").read_text() == "mine"
    assert (tmp_path / "digits.py").is_file()
