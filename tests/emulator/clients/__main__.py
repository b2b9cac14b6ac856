"""Goes through one story with each client and prints a row each: `python -m tests.emulator.clients`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.control.process import launch
from tests.tls import make_tls_files

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUICK = ("--queue-seconds", "0", "--provision-seconds", "0", "--stop-grace-seconds", "1")


def main() -> int:
    """Tell the story with all clients, or those whose names contain an argument; return the exit status."""
    failed = 0
    output = sys.stdout
    # Libraries print what they do to standard output, too.
    with tempfile.TemporaryDirectory(prefix="clients-") as folder, contextlib.redirect_stdout(sys.stderr):
        for row in _rows(Path(folder), sys.argv[1:]):
            print(row, file=output, flush=True)
            failed += "FAILED" in row
    return min(failed, 1)


def _rows(folder: Path, wanted: list[str]) -> Iterator[str]:
    tls = make_tls_files(folder)
    # These are read when the libraries are loaded.
    os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(tls.ca)
    os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
    anonymous = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}
    os.environ["AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT"] = json.dumps(anonymous)

    from tests.emulator.clients import commands, libraries
    from tests.emulator.clients.google_operators import GoogleOperators
    from tests.emulator.clients.story import STEPS, Client, Place, Story

    clients: tuple[type[Client], ...] = (
        *(libraries.Gapic, libraries.GapicAsync, libraries.GapicRest, libraries.GapicAsyncRest),
        *(libraries.Sdk, libraries.SdkRest, libraries.Logging, libraries.LoggingRest),
        *(GoogleOperators, commands.Gcloud, commands.Curl),
    )
    yield f"{'client':40}" + "".join(f"{step:10}" for step in STEPS)
    with launch(*_QUICK) as plain, launch(*_QUICK, *tls.emulator_arguments) as encrypted:
        for client in clients:
            if wanted and not any(text in client.name for text in wanted):
                continue
            if client.missing():
                yield f"{client.name:40}not run, {client.missing()}"
                continue
            emulator = encrypted if client.over_tls else plain
            place = Place(emulator, folder, f"project-{uuid.uuid4().hex[:8]}")
            told = Story(client, place, libraries.Gapic(place)).tell()
            problems = [f"  {step}: {text}" for step, text in told.items() if text not in ("ok", "-")]
            row = "".join(f"{told[step] if told[step] in ('ok', '-') else 'FAILED':10}" for step in STEPS)
            yield "\n".join((f"{client.name:40}{row}".rstrip(), *problems))


if __name__ == "__main__":
    sys.exit(main())
