"""The command line: `python -m airflow_vertex_training.emulator`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from pathlib import Path

from airflow_vertex_training.emulator import examples
from airflow_vertex_training.emulator.config import UNKNOWN_MACHINES, EmulatorConfig, QuotaLimits
from airflow_vertex_training.emulator.jobs.terminal import Writer

DEFAULT_PORT = 8686
"""Always the same, so that VERTEX_AI_EMULATOR_HOST still holds after a restart."""

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def _pair(text: str) -> tuple[str, str]:
    # The first one: no key has one, a folder may.
    key, separator, value = text.partition("=")
    if not separator or not key or not value:
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE, got {text!r}")
    return key, value


def _projects(text: str) -> frozenset[str]:
    projects = frozenset(filter(None, map(str.strip, text.split(","))))
    if not projects:
        raise argparse.ArgumentTypeError(f"must be project ids with commas between them, got {text!r}")
    return projects


def _size(text: str) -> int:
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
    if not number.isdecimal() or int(number) < 1:
        raise argparse.ArgumentTypeError(f"must be a number of bytes, or of K, M or G, got {text!r}")
    return int(number) * _UNITS.get(unit, 1)


def _parser() -> argparse.ArgumentParser:
    defaults = EmulatorConfig()
    quotas = QuotaLimits()
    parser = argparse.ArgumentParser(
        prog="python -m airflow_vertex_training.emulator",
        description="Serves Vertex AI custom jobs on this machine: each runs as local processes. "
        "It runs the commands that it is sent, so it listens on loopback addresses only.",
    )
    add = parser.add_argument
    add("--host", default=defaults.host, help="loopback address to listen on (default: %(default)s)")
    add(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help="port of the API; HTTP is served at the next one; 0 takes free ones (default: %(default)s)",
    )
    add(
        "--control-port",
        type=int,
        help="serve faults and counters for tests on this port; 0 takes a free one",
    )
    add(
        "--unix-socket",
        type=Path,
        metavar="FILE",
        help="serve at this socket instead of a port, in a folder that only you may enter: "
        "no other user of this machine can then send commands",
    )
    add("--tls-cert", type=Path, metavar="FILE", help="serve TLS with this certificate (PEM)")
    add("--tls-key", type=Path, metavar="FILE", help="private key of the certificate (PEM)")
    add("--state", type=Path, metavar="FILE", help="keep jobs and logs in this SQLite file over restarts")
    add(
        "--image",
        type=_pair,
        action="append",
        default=[],
        metavar="URI=FOLDER",
        help="a replica of this image works in this folder; emulator.toml in it can say the entry point and "
        "more; a URI without a tag stands for all tags; may be repeated",
    )
    add(
        "--python",
        type=_pair,
        action="append",
        default=[],
        metavar="URI=PYTHON",
        help="the interpreter, or the virtual environment's folder, of this image; may be repeated",
    )
    add(
        "--examples",
        type=Path,
        metavar="FOLDER",
        help="copy the example DAGs and their training code to this dags folder, and run their images",
    )
    add(
        "--any-image",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="run jobs of images without a folder, too: their command, in an empty folder",
    )
    add(
        "--storage",
        type=Path,
        metavar="FOLDER",
        help="where gs://BUCKET lies, as FOLDER/BUCKET; default: a temporary folder, removed at the end",
    )
    seconds = [
        ("--queue-seconds", defaults.queue_seconds, "how long a job is QUEUED"),
        ("--provision-seconds", defaults.provision_seconds, "how long a job is PENDING"),
        (
            "--stop-grace-seconds",
            defaults.stop_grace_seconds,
            "from SIGTERM to SIGKILL for a job's processes",
        ),
        (
            "--error-delay",
            defaults.error_delay_seconds,
            "how long after its final state a job's error is set; on Vertex about 60",
        ),
    ]
    for name, value, text in seconds:
        add(name, type=float, default=value, metavar="S", help=f"{text} (default: %(default)s)")
    add(
        "--memory-limit",
        type=_size,
        metavar="SIZE",
        help="kill a replica that takes more memory than this, such as 512M or 4G",
    )
    add(
        "--unknown-machines",
        choices=UNKNOWN_MACHINES,
        default=defaults.unknown_machines,
        help="machine types of a family that the emulator doesn't know (default: %(default)s)",
    )
    add("--enforce-quotas", action="store_true", help="refuse requests over these quotas")
    limits = [
        ("--resource-requests-per-minute", quotas.resource_requests, "get, list, cancel and delete"),
        ("--submissions-per-minute", quotas.submissions, "create"),
        ("--log-reads-per-minute", quotas.log_reads, "ListLogEntries"),
    ]
    for name, limit, text in limits:
        add(name, type=int, default=limit, metavar="N", help=f"quota of {text} (default: %(default)s)")
    projects = "only these projects may be used; others are PERMISSION_DENIED"
    add("--projects", type=_projects, metavar="A,B", help=projects)
    add(
        "--project-number",
        type=_pair,
        action="append",
        default=[],
        metavar="ID=NUMBER",
        help="answers name this project by its number, as Vertex does; may be repeated",
    )
    add(
        "--max-log-lines",
        type=int,
        default=defaults.max_log_lines,
        metavar="N",
        help="how many log lines of each job are kept (default: %(default)s)",
    )
    add(
        "--quiet",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="say nothing of jobs: neither their states nor what they print",
    )
    add(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input closes: with the process at its other end",
    )
    return parser


def _once(option: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Make a dict of pairs, in which no key may have two values: which one is meant is not known."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise ValueError(f"{option}: {key} is given twice, as {found[key]} and {value}: leave one out")
    return found


def _config(arguments: argparse.Namespace) -> EmulatorConfig:
    quotas = QuotaLimits(
        resource_requests=arguments.resource_requests_per_minute,
        submissions=arguments.submissions_per_minute,
        log_reads=arguments.log_reads_per_minute,
    )
    images = {uri: Path(folder).absolute() for uri, folder in _once("--image", arguments.image).items()}
    if arguments.examples is not None:
        images |= examples.lay_out(arguments.examples.absolute())
    return EmulatorConfig(
        host=arguments.host,
        port=arguments.port,
        control_port=arguments.control_port,
        unix_socket=arguments.unix_socket,
        tls_cert=arguments.tls_cert,
        tls_key=arguments.tls_key,
        state_file=arguments.state,
        images=images,
        pythons={uri: Path(python) for uri, python in _once("--python", arguments.python).items()},
        any_image=arguments.any_image,
        memory_limit_bytes=arguments.memory_limit,
        storage=arguments.storage,
        queue_seconds=arguments.queue_seconds,
        provision_seconds=arguments.provision_seconds,
        stop_grace_seconds=arguments.stop_grace_seconds,
        error_delay_seconds=arguments.error_delay,
        unknown_machines=arguments.unknown_machines,
        quotas=quotas if arguments.enforce_quotas else None,
        projects=arguments.projects,
        project_numbers=_once("--project-number", arguments.project_number),
        max_log_lines=arguments.max_log_lines,
    )


async def _serve(config: EmulatorConfig, writer: Writer, *, until_stdin_closes: bool, quiet: bool) -> None:
    # Loads Google's message types, which takes seconds: too long for --help and for a wrong argument.
    # All of it stays, so a look for garbage in it finds none, and lengthens the start and later requests.
    gc.disable()
    from airflow_vertex_training.emulator.server import Emulator

    gc.freeze()
    gc.enable()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if until_stdin_closes:
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        closed = asyncio.create_task(reader.read())
        closed.add_done_callback(lambda _: stopped.set())
    async with Emulator(config, None if quiet else writer.write) as emulator:
        writer.write(f"Vertex AI emulator listening on {emulator.address}")
        if emulator.http_address:
            writer.write(f"JSON API, and a page of the jobs: {emulator.http_address}")
        if emulator.control_address:
            writer.write(f"Control service listening on {emulator.control_address}")
        writer.write(f"gs://BUCKET lies in {emulator.storage}/BUCKET")
        if config.tls_cert is None:
            writer.write(f"To use it: export VERTEX_AI_EMULATOR_HOST={emulator.address}")
        else:
            writer.write(f"To use it: set the connection's api_endpoint to {emulator.address}")
        await stopped.wait()


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        The exit status: 0, or 2 if it could not start.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    arguments = _parser().parse_args()
    writer = Writer(sys.stdout.fileno())
    until_closed, quiet = arguments.until_stdin_closes, arguments.quiet
    try:
        asyncio.run(_serve(_config(arguments), writer, until_stdin_closes=until_closed, quiet=quiet))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
