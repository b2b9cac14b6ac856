"""YAML as job templates and gcloud configs are written in it.

A plain scalar is the text that stands there, and ``null`` is none: a label ``1.10`` stays ``1.10``, ``no``
stays ``no``. The checks of a job's fields make numbers and flags of text.
"""

from __future__ import annotations

from functools import cache
from typing import Any


class YamlError(ValueError):
    """A text is no YAML, or says one key twice; says where."""


def load(text: str) -> Any:
    """Return what a YAML document says.

    Raises:
        YamlError: it can't be read.
    """
    import yaml

    try:
        return yaml.load(text, _loader())  # noqa: S506 - it is made of the safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise YamlError(f"{line}{problem}") from error
    except RecursionError as error:
        raise YamlError("it has too many lists or dicts in each other") from error


def dump(data: Any) -> str:
    """Return data as a YAML document."""
    import yaml

    # A line is as long as it is: templates are read better in one.
    return str(yaml.dump(data, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=2**31))


# PyYAML takes a while to load, and most processes that parse DAGs need none of it.
@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's own
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    problem = "a list or dict can't be a key; a value that begins with '{' needs quotes"
                elif key.value in seen:
                    problem = f"{key.value!r} is said twice"
                else:
                    seen.add(key.value)
                    continue
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            return super().construct_mapping(node, deep)

    kept = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
    Loader.yaml_implicit_resolvers = {
        first: found
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        if (found := [each for each in resolvers if each[0] in kept])
    }
    return Loader


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own
            return True

    def text(dumper: Any, value: str) -> Any:
        # Line breaks that a reader would take for others: only double quotes keep them.
        odd = any(sign in value for sign in "\r\x85\u2028\u2029\ufeff")
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if odd else None)

    Dumper.add_representer(str, text)
    return Dumper
