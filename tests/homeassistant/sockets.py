"""Questions and answers over a WebSocket, for tests that do not run in an event loop."""

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import aiohttp

SECONDS = 30.0
T = TypeVar("T")


class Socket:
    """A connection on which each question has an `id`, and its answer the same one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ids = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    def open(self) -> None:
        self._thread.start()
        self._run(self._connect())

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._run(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def say(self, message: dict[str, Any]) -> None:
        self._run(self._send(message))

    def hear(self) -> dict[str, Any]:
        return self._run(self._receive())

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer; what comes before it is dropped."""
        number = next(self._ids)
        self.say({"id": number, **question})
        while (answer := self.hear()).get("id") != number or answer.get("type") == "event":
            pass
        return answer

    async def _connect(self) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._url, max_msg_size=0)

    async def _disconnect(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()

    async def _send(self, message: dict[str, Any]) -> None:
        assert self._socket is not None
        await self._socket.send_json(message)

    async def _receive(self) -> dict[str, Any]:
        assert self._socket is not None
        message: dict[str, Any] = json.loads(await self._socket.receive_str(timeout=SECONDS))
        return message

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)
