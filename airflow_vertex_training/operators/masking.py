"""Secrets in what is shown of a job: masked by Airflow's own rule, by value and by name."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["masked_command", "masked_values", "masked_variables"]

# A whole program may stand in a command: python -c PROGRAM.
_MOST_CHARACTERS = 1_000


def masked_variables(custom_job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as the API's JSON with the values masked that Airflow would mask, by their names."""
    for pool in custom_job.get("jobSpec", {}).get("workerPoolSpecs", ()):
        for program in ("containerSpec", "pythonPackageSpec"):
            variables = pool.get(program, {}).get("env")
            for variable in variables if isinstance(variables, list) else ():
                # One that is a template as a whole is as it was written.
                if isinstance(variable, dict) and isinstance(variable.get("value"), str):
                    variable["value"] = _masked(variable["value"], str(variable.get("name")))
    return custom_job


def masked_values(data: Any) -> Any:
    """Return data with each value masked that Airflow masks in this process, however deep it lies.

    Airflow itself looks five levels deep, and a container's arguments lie deeper in a request.

    Args:
        data: JSON.
    """
    if isinstance(data, dict):
        return {name: masked_values(each) for name, each in data.items()}
    if isinstance(data, list):
        return [masked_values(each) for each in data]
    return _masked(data, "") if isinstance(data, str) else data


def masked_command(words: Iterable[str]) -> str:
    """Return a command in one line, as a shell takes it, with secrets masked.

    They are the values that Airflow masks in this process, those of connections and sensitive variables, and
    values of options whose names look like secrets': ``--token VALUE`` and ``--token=VALUE``.

    Args:
        words: the command and its arguments.
    """
    # Masked before they are quoted or cut off: a part of a secret is none that Airflow knows.
    line = shlex.join(_masked_words(words))
    line = "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
    more = len(line) - _MOST_CHARACTERS
    return f"{line[:_MOST_CHARACTERS]} ... ({more} characters more)" if more > 0 else line


def _masked_words(words: Iterable[str]) -> Iterator[str]:
    option = ""
    for word in words:
        name, equals, value = word.partition("=")
        if name.startswith("-") and equals:
            yield f"{name}={_masked(value, name)}"
        else:
            yield _masked(word, "" if word.startswith("-") else option)
        option = name if name.startswith("-") and not equals else ""


def _masked(value: str, name: str) -> str:
    # Not public, but where Airflow itself takes it from, on all versions.
    from airflow.sdk._shared.secrets_masker import redact

    return str(redact(value, name.lstrip("-").replace("-", "_") or None))
