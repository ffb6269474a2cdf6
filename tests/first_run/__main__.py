"""`python -m tests.first_run` goes the way of a newcomer, prints clicks and seconds, and renews docs/first_run/."""

import tempfile
from pathlib import Path

from tests.first_run.journey import travel

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "first_run"

with tempfile.TemporaryDirectory(prefix="calbot-first-run-") as place:
    print(travel(Path(place) / "data", PICTURES).report())
