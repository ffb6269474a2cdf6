"""Checks answers against the schemas in the installed client's calendar.v3.json."""

import json
from datetime import date, datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.google_server.values import Doc

KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
}


@lru_cache(maxsize=1)
def schemas() -> dict[str, Doc]:
    """All schemas by name. Raises RuntimeError when google-api-python-client is not installed."""
    spec = find_spec("googleapiclient")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("install google-api-python-client, or start the server with validate=False")
    folder = Path(spec.submodule_search_locations[0]) / "discovery_cache" / "documents"
    found: dict[str, Doc] = json.loads((folder / "calendar.v3.json").read_text("utf-8"))["schemas"]
    return found


def problems(schema_name: str, document: Doc) -> list[str]:
    """What a schema does not allow in a document: unknown names, wrong types, bad times and numbers."""
    return _problems(schemas()[schema_name], document, "")


def _problems(schema: Doc, value: Any, where: str) -> list[str]:
    if "$ref" in schema:
        schema = schemas()[schema["$ref"]]
    kind = schema.get("type", "any")
    if kind == "any":
        return []
    fits = isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not fits:
        return [f"{where or 'the document'} is {type(value).__name__}, not {kind}"]
    if kind == "array":
        inner = [_problems(schema["items"], one, f"{where}[{index}]") for index, one in enumerate(value)]
        return [problem for found in inner for problem in found]
    if kind == "object":
        return _object_problems(schema, value, where)
    if kind == "string" and "format" in schema and not _fits(schema["format"], value):
        return [f"{where} is no {schema['format']}: {value}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} is none of {schema['enum']}: {value}"]
    return []


def _object_problems(schema: Doc, value: Doc, where: str) -> list[str]:
    found: list[str] = []
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, one in value.items():
        path = f"{where}.{name}" if where else name
        inner = known.get(name, others)
        if inner is None:
            found.append(f"{path} is unknown")
        else:
            found.extend(_problems(inner, one, path))
    return found


def _fits(shape: str, text: str) -> bool:
    try:
        match shape:
            case "date-time":
                return datetime.fromisoformat(text).tzinfo is not None
            case "date":
                return bool(date.fromisoformat(text))
            case "int64" | "uint64":
                return bool(str(int(text)))
            case _:
                return True
    except ValueError:
        return False
