"""The training code of the example "image": replicas that train on a share of the data each, and average.

Every replica takes its share of the handwritten digits and goes over it once an epoch. Then the chief
averages what all have learned, weighted by their shares, and sends the average back. Vertex AI tells each
replica in CLUSTER_SPEC where the others are; the emulator does the same, with ports of this machine.

https://cloud.google.com/vertex-ai/docs/training/distributed-training#cluster-variables
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

CLUSTER = json.loads(os.environ["CLUSTER_SPEC"])
REPLICAS = [
    (pool, index) for pool in sorted(CLUSTER["cluster"]) for index, _ in enumerate(CLUSTER["cluster"][pool])
]
ME = (CLUSTER["task"]["type"], int(CLUSTER["task"]["index"]))
CHIEF_HOST, _, CHIEF_PORT = CLUSTER["cluster"]["workerpool0"][0].rpartition(":")
# Keeps other programs out that find the port.
KEY = os.environ["CLOUD_ML_JOB_ID"].encode()
START_SECONDS = 300.0


def main() -> None:
    """Train this replica's share, epoch by epoch, together with the others."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10, help="how often each replica sees its share")
    parser.add_argument(
        "--fail", default="", help="a replica that fails, such as workerpool1-1; default none"
    )
    arguments = parser.parse_args()
    if arguments.fail == "-".join(map(str, ME)):
        sys.exit("failing, as asked to")

    images, digits = load_digits(return_X_y=True)
    train, held_out = train_test_split(range(len(images)), test_size=0.25, random_state=0, stratify=digits)
    mine = train[REPLICAS.index(ME) :: len(REPLICAS)]
    print(f"{ME[0]}-{ME[1]} of {len(REPLICAS)} replicas: {len(mine)} of {len(train)} images")
    model = SGDClassifier(loss="log_loss", random_state=0)
    model.partial_fit(images[:1] / 16, digits[:1], classes=np.unique(digits))
    weights = np.zeros(model.coef_.size + model.intercept_.size)

    others = accept(len(REPLICAS) - 1) if REPLICAS[0] == ME else [reach_chief()]
    for epoch in range(arguments.epochs):
        set_weights(model, weights)
        model.partial_fit(images[mine] / 16, digits[mine])
        weights = share(get_weights(model) * len(mine), others) / len(train)
        if REPLICAS[0] == ME:
            set_weights(model, weights)
            accuracy = model.score(images[held_out] / 16, digits[held_out])
            print(f"epoch {epoch + 1}: accuracy of the average on held-out images {accuracy:.4f}")
    if REPLICAS[0] == ME:
        write(model, {"accuracy": accuracy, "replicas": len(REPLICAS), "held_out": held_out})


def get_weights(model: SGDClassifier) -> np.ndarray:
    """Return what a model has learned, as one row of numbers."""
    return np.concatenate([model.coef_.ravel(), model.intercept_])


def set_weights(model: SGDClassifier, weights: np.ndarray) -> None:
    """Put a row of numbers back into a model."""
    size = model.coef_.size
    model.coef_ = weights[:size].reshape(model.coef_.shape).copy()
    model.intercept_ = weights[size:].copy()


def share(own: np.ndarray, others: list[Connection]) -> np.ndarray:
    """Return the sum of what all replicas have: the chief adds it up, the others get it."""
    if REPLICAS[0] != ME:
        (chief,) = others
        chief.send_bytes(own.tobytes())
        return np.frombuffer(chief.recv_bytes())
    total = own + sum(np.frombuffer(other.recv_bytes()) for other in others)
    for other in others:
        other.send_bytes(total.tobytes())
    return total


def accept(count: int) -> list[Connection]:
    """Wait for the other replicas."""
    # On Vertex AI the others come from other machines; on the emulator nobody outside this one may.
    host = "localhost" if CHIEF_HOST == "localhost" else "0.0.0.0"  # noqa: S104
    with Listener((host, int(CHIEF_PORT)), backlog=count or 1, authkey=KEY) as listener:
        return [listener.accept() for _ in range(count)]


def reach_chief() -> Connection:
    """Connect to the chief, which may start later."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return Client((CHIEF_HOST, int(CHIEF_PORT)), authkey=KEY)
        except OSError:  # noqa: PERF203 - it waits anyway
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # noqa: TID251 - this process has nothing else to do


def write(model: SGDClassifier, metrics: dict[str, object]) -> None:
    """Write the model to where Vertex AI says."""
    # Vertex AI mounts Cloud Storage at /gcs; the emulator gives a folder, which this leaves as it is.
    folder = Path(os.environ["AIP_MODEL_DIR"].replace("gs://", "/gcs/"))
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    print(f"wrote {folder / 'model.joblib'}")


if __name__ == "__main__":
    main()
