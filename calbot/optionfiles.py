"""One file of options, read strictly: what is wrong is said in one sentence with the line and the remedy."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import yaml

from calbot.checks import shown
from calbot.errors import BadOptions

LARGEST = 200_000


def json_options(path: Path, descriptor: int | None = None) -> dict[str, object]:
    """Return the content of a JSON file; a missing file is empty. Raises BadOptions.

    Where only root may read it, as under the Supervisor, run.sh has opened it before it gave its rights up:
    `descriptor` is that open file.
    """
    return _options(path, _json, descriptor)


def yaml_options(path: Path) -> dict[str, object]:
    """Return the content of a YAML file; a missing file is empty. Raises BadOptions."""
    return _options(path, _yaml)


def yaml_document(path: Path) -> object:
    """Read a YAML file of whatever shape, strictly; None for one that is not there. Raises BadOptions."""
    content = _content(path, None)
    return None if content is None else _yaml(content, path.name)


def _options(path: Path, read: Callable[[str, str], object], descriptor: int | None = None) -> dict[str, object]:
    name = path.name
    content = _content(path, descriptor)
    if content is None:
        return {}
    try:
        found = read(content, name)
    except RecursionError:
        raise BadOptions(f"{name}: is nested too deeply; write it flat, as the documentation shows.") from None
    if not isinstance(found, dict):
        raise BadOptions(f"{name}: holds {shown(found)}, not options; write lines like invite_emails: […].")
    return found


def _content(path: Path, descriptor: int | None) -> str | None:
    try:
        if descriptor is not None:
            content = os.pread(descriptor, LARGEST + 1, 0)
        elif not stat.S_ISREG(path.stat().st_mode):
            raise BadOptions(f"{path.name}: is not a file; move it away, or put the options there.")
        else:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadOptions(f"{path.name}: cannot be read ({error.strerror}); correct its permissions.") from None
    if len(content) > LARGEST:
        raise BadOptions(f"{path.name}: is larger than 200 kB; is it really a file of options?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadOptions(f"{path.name}: is not text in UTF-8; save it anew with that encoding.") from None


def _json(content: str, name: str) -> object:
    def group(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                raise BadOptions(f"{name}: {shown(key)} is there twice; keep one of them.")
            found[key] = value
        return found

    def refuse(word: str) -> object:
        raise BadOptions(f"{name}: holds {word}, which is not a number of JSON; write a plain number.")

    try:
        found: object = json.loads(content, object_pairs_hook=group, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise BadOptions(f"{name}: line {error.lineno} is not JSON ({error.msg}); correct it.") from None
    except ValueError:
        raise BadOptions(f"{name}: holds a number that is far too long; correct it.") from None
    return found


class _Loader(yaml.SafeLoader):
    """Plain YAML: no aliases, which can blow up, and no key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem = "aliases are not supported; write the value out"
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"{shown(key.value)} is there twice; keep one of them"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _yaml(content: str, name: str) -> object:
    try:
        found: object = yaml.load(content, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadOptions(f"{name}{line}: {error.problem or 'is not YAML'}.") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        raise BadOptions(
            f"{name}: holds something that is not plain YAML; write it as the documentation shows."
        ) from None
    return {} if found is None else found
