"""A real Chromium that looks at Home Assistant's pages, steered over its debugging socket."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.homeassistant.core import HomeAssistant
from tests.homeassistant.sockets import Socket
from tests.service.running import free_port, wait_for

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ALL_TEXT = """(() => { const out = []; const walk = n => {
    if (n.nodeType === 3) { if (n.textContent.trim()) out.push(n.textContent.trim()); return; }
    if (n.nodeType === 1) {
        if (['STYLE', 'SCRIPT', 'TEMPLATE'].includes(n.tagName)) return;
        if (n.shadowRoot) walk(n.shadowRoot); }
    n.childNodes.forEach(walk); }; walk(document.body); return out.join('\\n'); })()"""


class Chromium:
    """A browser without a window, signed in to Home Assistant."""

    def __init__(self, home: HomeAssistant, profile: Path, width: int = 1280, height: int = 1560) -> None:
        self._home = home
        self._profile = profile
        self._size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: Socket | None = None

    def __enter__(self) -> Self:
        assert PROGRAM
        port = free_port()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
        options += ["--disable-background-networking", "--disable-component-update", "--no-proxy-server"]
        options += [f"--user-data-dir={self._profile}", f"--remote-debugging-port={port}"]
        options += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--lang=en-GB", "about:blank"]
        self._process = subprocess.Popen(
            [PROGRAM, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        pages: list[dict[str, Any]] = []

        def found() -> bool:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=2) as answer,
            ):
                pages[:] = [page for page in json.loads(answer.read()) if page["type"] == "page"]
            return bool(pages)

        wait_for(found, 30, "Chromium")
        self._socket = Socket(pages[0]["webSocketDebuggerUrl"])
        self._socket.open()
        kept = {
            **self._home.tokens,
            "hassUrl": self._home.address,
            "clientId": f"{self._home.address}/",
            "expires": int((time.time() + 1500) * 1000),
        }
        script = f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(kept))});"
        self._ask("Page.enable")
        self._ask("Page.addScriptToEvaluateOnNewDocument", source=script)
        self._ask("Emulation.setDeviceMetricsOverride", **self._size)
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def picture(self, path: str, file: Path, *texts: str) -> str:
        """Take a picture of a page once all these texts are on it; return all its text."""
        self._ask("Page.navigate", url=self._home.address + path)
        wait_for(lambda: all(text in self._text() for text in texts), 40, f"{texts} on {path}")
        settled = time.monotonic() + 1.5
        wait_for(lambda: time.monotonic() > settled, 5, "fonts and animations")
        taken = self._ask("Page.captureScreenshot", format="png")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(taken["data"]))
        return self._text()

    def _text(self) -> str:
        return str(self._ask("Runtime.evaluate", expression=ALL_TEXT, returnByValue=True)["result"].get("value", ""))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        assert self._socket is not None
        answer = self._socket.ask(method=method, params=parameters)
        assert "result" in answer, answer
        found: dict[str, Any] = answer["result"]
        return found
