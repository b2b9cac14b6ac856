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
    train_images, test_images, train_digits, test_digits = train_test_split(
        images, digits, test_size=0.25, random_state=0, stratify=digits
    )
    print(f"training on {len(train_images)} images, C={arguments.c}, gamma={arguments.gamma}")
    model = SVC(C=arguments.c, gamma=arguments.gamma).fit(train_images, train_digits)
    accuracy = model.score(test_images, test_digits)
    print(f"accuracy on {len(test_images)} held-out images: {accuracy:.4f}")

    # Vertex AI mounts Cloud Storage at /gcs; the emulator gives a folder, which this leaves as it is.
    folder = Path(os.environ["AIP_MODEL_DIR"].replace("gs://", "/gcs/"))
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    (folder / "metrics.json").write_text(json.dumps({"accuracy": accuracy, **vars(arguments)}))
    print(f"wrote {folder / 'model.joblib'}")


if __name__ == "__main__":
    main()
