"""The JSON Schemas of the contract, by topic."""

import json
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def schema(name: str) -> dict[str, Any]:
    """One schema."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text())
    return found


def name_for(topic: str, base: str = "calbot") -> str | None:
    """The schema that holds on a topic; None where the payload is no JSON of ours."""
    rest = topic.removeprefix(f"{base}/")
    match rest.split("/"):
        case ["event", stream]:
            return f"event_{stream}"
        case ["account", _, "state"]:
            return "account_state"
        case ["response", _]:
            return "response"
        case [name] if name != "availability":
            return name
        case _:
            return None


def check(name: str, payload: bytes) -> dict[str, Any]:
    """Return the message, which keeps to its schema and to what holds for all."""
    assert len(payload) <= 4096
    message: dict[str, Any] = json.loads(payload)
    jsonschema.Draft202012Validator(schema(name)).validate(message)
    return message
