"""Reads the Compose file as Docker Compose does: merged, with its variables in place, as one `docker run` a service."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "addon/standalone"
FILE = FOLDER / "compose.yaml"
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?:(:?[-?])([^}]*))?\})")


def variables(text: str) -> set[str]:
    """Return the names that the file takes from `.env`."""
    return {match[1] for match in _VARIABLE.finditer(text) if match[1]}


def composed(text: str, environ: Mapping[str, str]) -> Any:
    """Return the file's content with its variables replaced (https://docs.docker.com/reference/compose-file/interpolation/).

    Raises KeyError for a variable that has to be set and is not.
    """
    return _replaced(yaml.safe_load(text), environ)


def _replaced(value: Any, environ: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _value(found, environ), value)
        case dict():
            return {key: _replaced(inner, environ) for key, inner in value.items()}
        case list():
            return [_replaced(inner, environ) for inner in value]
        case _:
            return value


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found[0] == "$$":
        return "$"
    given = environ.get(found[1], "")
    if not given and found[2] == ":?":
        raise KeyError(found[1])
    return given or (found[3] if found[2] == ":-" else "")


def as_run(service: Mapping[str, Any], folder: Path, image: str, project: str = "calbot") -> list[str]:
    """Return the words after `docker run` that do what the file says; networks and logs are left to the caller.

    `folder` is where the file lies, for the files that are mounted from there.
    """
    words = ["--init"] if service.get("init") else []
    words += ["--read-only"] if service.get("read_only") else []
    words += ["--user", service["user"]] if "user" in service else []
    words += [word for one in service.get("cap_drop", ()) for word in ("--cap-drop", one)]
    words += [word for one in service.get("security_opt", ()) for word in ("--security-opt", one)]
    words += [word for one in service.get("tmpfs", ()) for word in ("--tmpfs", one)]
    words += ["--pids-limit", str(service["pids_limit"])] if "pids_limit" in service else []
    words += ["--memory", service["mem_limit"], "--memory-swap", service["mem_limit"]] if "mem_limit" in service else []
    for name, value in service.get("environment", {}).items():
        words += ["-e", f"{name}={value}"]
    for volume in service.get("volumes", ()):
        words += ["--mount", _mount(volume, folder, project)]
    words += _health(service.get("healthcheck", {}))
    return [*words, image, *service.get("command", ())]


def _mount(volume: str | Mapping[str, Any], folder: Path, project: str) -> str:
    """Return a volume or a file as the option --mount wants it."""
    if isinstance(volume, str):
        source, target, *mode = volume.split(":")
        volume = {"source": source, "target": target, "read_only": mode == ["ro"]}
    source, is_file = volume["source"], volume["source"].startswith("./")
    where = f"type=bind,source={folder / source}" if is_file else f"type=volume,source={project}_{source}"
    return f"{where},target={volume['target']}" + (",readonly" if volume.get("read_only") else "")


def _health(check: Mapping[str, Any]) -> list[str]:
    words = []
    match check.get("test"):
        case ["CMD-SHELL", command]:
            words += ["--health-cmd", command]
        case [_, *command]:
            raise ValueError(f"docker run knows no {command} without a shell")
    names = {"interval": "interval", "timeout": "timeout", "start_period": "start-period", "retries": "retries"}
    return words + [f"--health-{names[key]}={value}" for key, value in check.items() if key in names]
