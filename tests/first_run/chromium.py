"""A real Chromium without a screen, told what to do over a pair of pipes (the DevTools protocol); no other library."""

from __future__ import annotations

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next((found for name in NAMES if (found := shutil.which(name))), None)
PATIENCE = 20.0


class Chromium:
    """The browser, from `with` to its end."""

    def __init__(self) -> None:
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._number = 0
        self._heard: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        assert PROGRAM is not None
        self._profile = tempfile.mkdtemp(prefix="calbot-chromium-")
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        flags = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self._profile}", "--no-first-run"]
        flags += ["--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--disable-background-networking"]
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        pipes = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            ["bash", "-c", pipes, PROGRAM, *flags, "about:blank"],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        threading.Thread(target=self._listen, daemon=True).start()
        self.ask("Target.setDiscoverTargets", discover=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        os.close(self._to)
        shutil.rmtree(self._profile, ignore_errors=True)

    def ask(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """Send a command and return its result; fail when the browser refuses it."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        answers = self._answers[self._number] = queue.Queue()
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answer = answers.get(timeout=PATIENCE)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def heard(self, method: str) -> list[dict[str, Any]]:
        """Return what the browser told of one kind, in order."""
        return [one["params"] for one in list(self._heard) if one["method"] == method]

    def pages(self) -> list[dict[str, Any]]:
        """Return the open tabs: `url` is what stands in the address bar."""
        return [one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page"]

    def tab(self) -> Tab:
        """Open a new tab, in which no page's JavaScript runs."""
        return Tab(self, self.ask("Target.createTarget", url="about:blank")["targetId"])

    def _listen(self) -> None:
        rest = b""
        while content := os.read(self._from, 1 << 16):
            *messages, rest = (rest + content).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers.pop(message["id"]).put(message)
                else:
                    self._heard.append(message)
        os.close(self._from)


class Tab:
    """One tab, used like a person does: by what can be seen."""

    def __init__(self, browser: Chromium, target: str) -> None:
        self._browser = browser
        self.target = target
        self._session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.clicks = 0
        for domain in ("Page", "DOM", "Runtime"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setScriptExecutionDisabled", value=True)
        self.ask("Page.setInterceptFileChooserDialog", enabled=True)

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command for this tab."""
        return self._browser.ask(method, self._session, **parameters)

    def value(self, expression: str) -> Any:
        """Return what an expression is in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def look(self, width: int, *, dark: bool = False) -> None:
        """Be as wide as this, and light or dark."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[feature])

    def go(self, address: str) -> None:
        """Open an address, as from a bookmark."""
        self._moved(lambda: self.ask("Page.navigate", url=address))

    def click(self, text: str, selector: str = "a, button, summary") -> None:
        """Click on the element that shows this text, and wait for the page that comes."""
        self._moved(lambda: self._press(text, selector))

    def click_away(self, text: str) -> str:
        """Click on what opens a new tab; return the address on which that ends."""
        before = {one["targetId"] for one in self._browser.pages()}
        self._press(text, "a")
        seen: list[str] = []

        def has_come_to_rest() -> bool:
            new = [one["url"] for one in self._browser.pages() if one["targetId"] not in before]
            seen[:] = [url for url in new if url.startswith("http")]
            return bool(seen) and seen[0].startswith("http://127.0.0.1:45871/")

        wait(has_come_to_rest, lambda: f"a new tab lands on the dead page: {seen}")
        return seen[0]

    def choose(self, file: Path) -> None:
        """Click on the page's file field and choose a file."""
        count = len(self._browser.heard("Page.fileChooserOpened"))
        self._press("", 'input[type="file"]')
        wait(lambda: len(self._browser.heard("Page.fileChooserOpened")) > count, lambda: "the file dialogue opens")
        node = self._browser.heard("Page.fileChooserOpened")[-1]["backendNodeId"]
        self.ask("DOM.setFileInputFiles", files=[str(file)], backendNodeId=node)

    def paste(self, text: str) -> None:
        """Click into the page's text field and paste."""
        self._press("", "textarea")
        self.ask("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """Save the whole page as a picture."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def text(self) -> str:
        """Return what can be read on the page."""
        return str(self.value("document.body ? document.body.innerText : ''"))

    def _press(self, text: str, selector: str) -> None:
        find = f"""(() => {{
            const shown = [...document.querySelectorAll({json.dumps(selector)})]
                .find(one => one.innerText.includes({json.dumps(text)}) && one.getClientRects().length);
            if (!shown) return null;
            shown.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = shown.getClientRects()[0];
            return [box.x + Math.min(box.width / 2, 60), box.y + box.height / 2];
        }})()"""
        wait(lambda: self.value(find), lambda: f"{text or selector} on: {self.text()}")
        x, y = self.value(find)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.clicks += 1

    def _moved(self, act: Callable[[], object]) -> None:
        before = len(self._loads())
        act()
        wait(lambda: len(self._loads()) > before, lambda: f"a page comes: {self.text()}")
        wait(lambda: self.value("document.readyState") == "complete", lambda: "the page is complete")

    def _loads(self) -> list[dict[str, Any]]:
        return [one for one in self._browser.heard("Page.frameNavigated") if one["frame"]["id"] == self.target]


def wait(condition: Callable[[], object], what: Callable[[], str]) -> None:
    """Wait until the condition holds; fail with `what` otherwise."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what()}"
        threading.Event().wait(0.02)
