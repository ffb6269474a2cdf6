"""requirements.py SITE_PACKAGES FILE: print what the integrations in FILE, and those loaded at every start, need."""

import json
import sys
from pathlib import Path

from homeassistant import bootstrap  # type: ignore[import-not-found]

site, wanted = sys.argv[1:]
todo = Path(wanted).read_text(encoding="utf-8").split()
todo += ["frontend", "recorder", "labs", "isal", "hassio", "stream"]
todo += bootstrap.DEFAULT_INTEGRATIONS | bootstrap.CORE_INTEGRATIONS | bootstrap.LOGGING_AND_HTTP_DEPS_INTEGRATIONS
seen: set[str] = {"sentry"}
needed: set[str] = set()
while todo:
    integration = todo.pop()
    manifest = Path(site, "homeassistant", "components", integration, "manifest.json")
    if integration in seen or not manifest.exists():
        continue
    seen.add(integration)
    told = json.loads(manifest.read_text(encoding="utf-8"))
    needed.update(told.get("requirements", []))
    todo += told.get("dependencies", [])
print(*sorted(needed), sep="\n")
