"""The training code of the example "image": a support vector machine that reads handwritten digits.

It knows nothing of Airflow. On Vertex AI it would be in the container image; the emulator runs it from this
folder.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC


def main() -> None:
    """Train, measure on held-out digits, and write the model to where Vertex AI says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--c", type=float, default=1.0, help="penalty of a wrong answer")
    parser.add_argument("--gamma", type=float, default=0.001, help="width of the kernel")
    arguments = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    train, held_out = train_test_split(range(len(images)), test_size=0.25, random_state=0, stratify=digits)
    print(f"training on {len(train)} images, C={arguments.c}, gamma={arguments.gamma}")
    model = SVC(C=arguments.c, gamma=arguments.gamma).fit(images[train], digits[train])
    accuracy = model.score(images[held_out], digits[held_out])
    print(f"accuracy on {len(held_out)} held-out images: {accuracy:.4f}")

    # Vertex AI mounts Cloud Storage at /gcs; the emulator gives a folder, which this leaves as it is.
    folder = Path(os.environ["AIP_MODEL_DIR"].replace("gs://", "/gcs/"))
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    metrics = {"accuracy": accuracy, **vars(arguments), "held_out": held_out}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    print(f"wrote {folder / 'model.joblib'}")


if __name__ == "__main__":
    main()
