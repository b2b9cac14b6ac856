"""What many deferred jobs come to when Vertex, the network or the credentials fail for a while.

All jobs are watched by this package's triggers, behind TLS, with Vertex's default quota enforced; each
fault strikes an emulator and a waiting process of its own. One job in ten fails in the end. Some jobs end
before the fault, most in it, the last ones after it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.waiting import PROJECT, REGION, WaitingProcess, tls_emulator, tls_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess
    from tests.tls import TlsFiles

EVER = {"times": None}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "UNAVAILABLE": [{"kind": "error", "code": "UNAVAILABLE", **EVER}],
    "429": [{"kind": "error", "code": "RESOURCE_EXHAUSTED", "message": "Quota exceeded", **EVER}],
    "no answer": [{"kind": "hang", **EVER}],
    "no token": [],
    "cut off": [],
    "stale list": [{"kind": "stale", "method": "ListCustomJobs", **EVER}],
    "late list": [{"kind": "late", "method": "ListCustomJobs", **EVER}],
    "list fails": [{"kind": "error", "code": "INTERNAL", "method": "ListCustomJobs", **EVER}],
    "list denied": [{"kind": "error", "code": "PERMISSION_DENIED", "method": "ListCustomJobs", **EVER}],
    "get fails": [{"kind": "error", "code": "INTERNAL", "method": "GetCustomJob", **EVER}],
}
"""What each fault is to the emulator. Tokens come from elsewhere, and a cut is no answer to a request."""

COLUMNS = (
    ("fault", 12),
    ("requests/min", 13),
    ("429s", 6),
    ("CPU", 7),
    ("p50", 8),
    ("p99", 8),
    ("told of trouble", 20),
    ("and of its end", 20),
    ("wrong or lost", 15),
    ("connections", 13),
)


class TokenServer(NamedTuple):
    """Where tokens come from, unless `failing` is set. Each is good for one second."""

    credentials: dict[str, Any]
    failing: threading.Event


def main() -> None:
    """Run the faults and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two looks")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds for which the fault lasts")
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT")
    parser.add_argument("--at-once", type=int, default=2, help="faults measured side by side")
    arguments = parser.parse_args()
    print(
        f"{arguments.jobs} jobs, every {arguments.interval:g} s, faults of {arguments.outage:g} s, quota 600"
    )
    print("".join(name.rjust(width) for name, width in COLUMNS), flush=True)
    with tls_files() as tls, ThreadPoolExecutor(arguments.at_once) as pool:
        for row in pool.map(lambda fault: measure(fault, arguments, tls), arguments.only):
            cells = (cell.rjust(width) for cell, (_, width) in zip(row, COLUMNS, strict=True))
            print("".join(cells), flush=True)


def measure(fault: str, arguments: argparse.Namespace, tls: TlsFiles) -> list[str]:
    """Let one fault strike, and return the cells of its line."""
    before, after = 2 * arguments.interval, 4 * arguments.interval
    with (
        token_server() as tokens,
        tls_emulator(tls) as emulator,
        WaitingProcess("ours", emulator, tls, tokens.credentials) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        emulator.control.set_quotas(PROJECT, {})
        jobs = {
            "labels": {"airflow_deployment": "airflow"},
            "run_seconds": before / 2,
            "spread_seconds": before / 2 + arguments.outage + after / 2,
        }
        failing = arguments.jobs // 10
        names = emulator.control.create_simulated(PROJECT, REGION, arguments.jobs - failing, **jobs)
        names += emulator.control.create_simulated(PROJECT, REGION, failing, exit_status=1, **jobs)
        # After an outage the next look may be a minute away.
        longest = before + arguments.outage + after + 120
        waiting = pool.submit(process.wait_for, names, arguments.interval, longest)
        time.sleep(before)  # noqa: TID251  the fault's own time
        strike(fault, emulator, tokens, arguments.outage)
        over = time.time()
        result = waiting.result()
        counts = emulator.control.requests(PROJECT)
        connections = emulator.control.connections(PROJECT)
        ended = {job["name"]: job["history"][-1] for job in emulator.control.jobs(PROJECT)}
    return [fault, *cells(result, counts, ended, over), str(connections)]


def strike(fault: str, emulator: EmulatorProcess, tokens: TokenServer, seconds: float) -> None:
    """Let a fault last for so long."""
    settings = FAULTS[fault]
    for each in settings:
        emulator.control.add_fault(PROJECT, **{"seconds": seconds, **each})
    if fault == "no token":
        tokens.failing.set()
    if fault == "cut off":
        emulator.control.pause_serving()
    time.sleep(seconds)  # noqa: TID251  the fault's own time
    emulator.control.clear_faults(PROJECT)
    tokens.failing.clear()
    if fault == "cut off":
        emulator.control.resume_serving()


@contextlib.contextmanager
def token_server() -> Iterator[TokenServer]:
    """Exchange tokens as Google's Security Token Service does, for the length of a block."""
    failing = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            token = {"access_token": "token", "expires_in": 1, "token_type": "Bearer"}
            kind = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
            body = json.dumps({"error": "down"} if failing.is_set() else token | kind).encode()
            self.send_response(503 if failing.is_set() else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with (
        tempfile.NamedTemporaryFile("w") as subject,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        subject.write("who this is")
        subject.flush()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/locations/global/workforcePools/pool/providers/provider",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "token_url": f"http://127.0.0.1:{server.server_port}/v1/token",
            "credential_source": {"file": subject.name},
        }
        yield TokenServer({"credential_config_file": config}, failing)
        server.shutdown()


def cells(
    result: dict[str, Any], counts: dict[str, dict[str, int]], ended: dict[str, dict[str, Any]], over: float
) -> list[str]:
    """Return what a fault's line shows."""
    expected = {
        name: "success" if end["state"] == "JOB_STATE_SUCCEEDED" else "error" for name, end in ended.items()
    }
    right = {
        name: at
        for name, (status, message, at) in result["told"].items()
        if status == expected[name] and (status == "success" or "exited with a non-zero status" in message)
    }
    ends = {name: end["nanoseconds"] / 1e9 for name, end in ended.items()}
    # What is told after the outage could not be told before its end.
    late = sorted(at - (max(over, ends[name]) if at > over else ends[name]) for name, at in right.items())
    total = sum(sum(outcomes.values()) for outcomes in counts.values())
    refused = sum(outcomes.get("RESOURCE_EXHAUSTED", 0) for outcomes in counts.values())
    return [
        f"{total / result['seconds'] * 60:.0f}",
        str(refused),
        f"{result['cpu'] / result['seconds']:.1%}",
        f"{late[len(late) // 2]:.1f} s",
        f"{late[int(len(late) * 0.99)]:.1f} s",
        times(result["logs"], "does not work now"),
        times(result["logs"], "works again"),
        f"{len(ended) - len(right)} of {len(ended)}",
    ]


def times(logs: dict[str, list[str]], text: str) -> str:
    """Say how many tasks' logs have a line with a text, and how often at most."""
    counts = Counter(sum(text in line for line in lines) for lines in logs.values())
    most = max(counts)
    return f"{len(logs) - counts[0]}, at most {most} x" if most else "-"


if __name__ == "__main__":
    main()
