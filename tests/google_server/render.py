"""JSON text as Google writes it: pretty or compact, whole or only the `fields=` that were asked for."""

from functools import lru_cache
from json import dumps
from json.encoder import encode_basestring as quoted
from typing import Any

from tests.google_server.errors import Refusal
from tests.google_server.values import Doc

Tree = dict[str, Any]
"""Wanted fields: name -> Tree, an empty one meaning everything below."""


def compact(value: Any) -> str:
    return dumps(value, ensure_ascii=False, separators=(",", ":"))


def pretty(value: Any, level: int = 0) -> str:
    """The value with one space per level, as Google indents it."""
    if isinstance(value, str):
        return quoted(value)
    pad = "\n" + " " * (level + 1)
    if isinstance(value, dict) and value:
        parts = [
            f"{pad}{quoted(key)}: {quoted(one) if isinstance(one, str) else pretty(one, level + 1)}"
            for key, one in value.items()
        ]
        return "{" + ",".join(parts) + "\n" + " " * level + "}"
    if isinstance(value, list) and value:
        return "[" + ",".join(pad + pretty(one, level + 1) for one in value) + "\n" + " " * level + "]"
    return dumps(value)


def page(envelope: Doc, items: list[str] | None, *, is_pretty: bool) -> str:
    """An envelope with rendered items in it (None: they were not asked for); pretty items are at level 2."""
    if items is None:
        return pretty(envelope) + "\n" if is_pretty else compact(envelope)
    head = (pretty(envelope)[:-2] if is_pretty else compact(envelope)[:-1]) if envelope else "{"
    comma = "," if envelope else ""
    if not is_pretty:
        return f'{head}{comma}"items":[{",".join(items)}]}}'
    inner = "[\n  " + ",\n  ".join(items) + "\n ]" if items else "[]"
    return f'{head}{comma}\n "items": {inner}\n}}\n'


def selected(value: Any, tree: Tree | None) -> Any:
    """The part of a value that a field tree names; None as a tree means all of it."""
    if not tree or ("*" in tree and not tree["*"]):
        return value
    if isinstance(value, list):
        return [selected(one, tree) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: selected(one, tree[key] if key in tree else tree["*"])
        for key, one in value.items()
        if key in tree or "*" in tree
    }


@lru_cache(maxsize=256)
def field_tree(text: str) -> Tree:
    """The tree of a `fields=` parameter such as `nextSyncToken,items(id,start/dateTime)`.

    Raises the 400 that Google gives for one it cannot read.
    """
    tree, rest = _listed(text.replace(" ", ""), text)
    if rest:
        raise _unreadable(text)
    return tree


def _listed(text: str, whole: str) -> tuple[Tree, str]:
    tree: Tree = {}
    while True:
        end = next((index for index, sign in enumerate(text) if sign in ",()"), len(text))
        names, text = text[:end].split("/"), text[end:]
        if not all(names):
            raise _unreadable(whole)
        node = tree
        for name in names:
            node = node.setdefault(name, {})
        if text.startswith("("):
            inner, text = _listed(text[1:], whole)
            if not text.startswith(")"):
                raise _unreadable(whole)
            node.update(inner)
            text = text[1:]
        if not text.startswith(","):
            return tree, text
        text = text[1:]


def _unreadable(text: str) -> Refusal:
    return Refusal(400, "invalidParameter", f"Invalid field selection {text}", location="fields")
