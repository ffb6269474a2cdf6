"""Promises to a newcomer: a browser is enough, and it takes ten clicks in the panel."""

import shutil
from pathlib import Path

import pytest

from tests.first_run.chromium import PROGRAM
from tests.first_run.journey import travel

MISSING = [name for name, found in (("chromium", PROGRAM), ("bash", shutil.which("bash"))) if not found]


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_an_empty_directory_and_a_browser_lead_to_the_first_invitation(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real process, real Chromium without JavaScript, and a pasted address; nobody puts a token file anywhere."""
    journey = travel(data, tmp_path / "pictures")

    with capsys.disabled():
        print(f"\n{journey.report()}")
