"""The search for secrets: a household that uses every kind of them, where everything goes wrong; none is found."""

import base64
import contextlib
import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cryptography.fernet import Fernet
from paho.mqtt.enums import CallbackAPIVersion

from calbot.clock import SystemClock
from calbot.envfile import NAME, store
from calbot.vault import Vault
from tests.google_server.http import GoogleServer
from tests.mqtt.world import MOSQUITTO, Mosquitto
from tests.service.running import ANNA, BOB, Service, free_port, wait_for
from tests.service.test_sign_in import landed
from tests.supervisor.server import FakeSupervisor

PASSWORD, WRONG = "mqtt pass/word+7Qz", "an-older-password-5Rt"
HOOK, GONE = "hook-Kd82hs7Qm1", "gone-Zp93kd0Lw4"
BEAT = "beat-Hs72kLq0Zx"
CLIENT, CLIENT_SECRET = "search-client", "client-secret-7Kq2mXp9"
SUPERVISOR = "supervisor-token-9f3kQz71"
PAGES = ("/", "/accounts", "/alerts", "/sign-in", "/sign-in-google", "/sign-in-file", "/preview", "/undo", "/find")
NOT_OURS = {"options.json", "client_secret.json", "google.json"}
"""Files that hold secrets because their user put them there."""
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


@dataclass
class Search:
    """What to look for, by what it is, and what to look through, by where it is."""

    secrets: dict[str, str] = field(default_factory=dict)
    places: dict[str, bytes] = field(default_factory=dict)

    def leaks(self) -> list[str]:
        """Say what was found where."""
        return [
            f"{what} in {where}: …{self.around(content, form)}…"
            for what, secret in self.secrets.items()
            for where, content in self.places.items()
            for form in forms(secret)
            if form in content and not (what == "key file" and where.endswith("/calbot.key"))
        ]

    @staticmethod
    def around(content: bytes, form: bytes) -> str:
        """Show where it is, without it."""
        at = content.index(form)
        return (content[max(0, at - 60) : at] + b"<HERE>" + content[at + len(form) :][:30]).decode(errors="replace")

    def files(self, folder: Path) -> None:
        """Look through every file of a folder."""
        for path in folder.rglob("*"):
            if path.is_file() and path.name not in NOT_OURS:
                self.places[str(path)] = path.read_bytes()

    def processes(self, first: int) -> None:
        """Look through the arguments of a process and of its children, and through the children's environment."""
        self.places[f"arguments of {first}"] = Path(f"/proc/{first}/cmdline").read_bytes()
        for task in Path(f"/proc/{first}/task").glob("*/children"):
            for child in task.read_text().split():
                self.processes(int(child))
                self.places[f"environment of {child}"] = Path(f"/proc/{child}/environ").read_bytes()


def forms(secret: str) -> set[bytes]:
    """Return the ways in which a secret may be written."""
    raw = secret.encode()
    quoted = {urllib.parse.quote(secret).encode(), urllib.parse.quote(secret, safe="").encode()}
    inner = {base64.b64encode(b"x" * n + raw)[-(-n * 8 // 6) : (n + len(raw)) * 8 // 6] for n in range(3)}
    return {raw, json.dumps(secret)[1:-1].encode(), *quoted, *inner}


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """However it is written; so that finding nothing means something."""
    texts = [
        "a mqtt pass/word+7Qz b",
        "mqtt%20pass%2Fword%2B7Qz",
        base64.b64encode(b"user:" + PASSWORD.encode()).decode(),
    ]
    for number, text in enumerate(texts):
        (tmp_path / str(number)).write_text(text)
    search = Search({"password": PASSWORD})
    search.files(tmp_path)

    assert len(search.leaks()) == 3


class Ear:
    """Hears everything on a broker that asks for a password, from the first connection on."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ear", protocol=paho.MQTTv5)
        self.client.username_pw_set(user, password)
        self.client.on_message = lambda _c, _u, m: self.heard.append((m.topic, bytes(m.payload)))
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(5)

    def close(self) -> None:
        """Hear no more."""
        self.client.disconnect()
        self.client.loop_stop()

    @property
    def is_online(self) -> bool:
        """Say whether Calbot is on the broker."""
        return ("calbot/availability", b"online") in self.heard


class Receiver:
    """Takes alerts and heartbeats; `status` is how it answers."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.paths.append(self.path)
                self.send_response(outer.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def host(self) -> str:
        """Where it is."""
        return f"127.0.0.1:{self.server.server_port}"

    def got(self, part: str) -> int:
        """How often something came to a path with this in it."""
        return sum(part in path for path in list(self.paths))


class Browser:
    """Somebody before the panel."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._opener.addheaders = [("Sec-Fetch-Site", "same-origin")]
        self.seen: dict[str, bytes] = {}

    def get(self, path: str, fields: dict[str, str] | None = None) -> str:
        """Open a page, or send its form; what comes is kept for the search."""
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            with self._opener.open(f"{self._base}{path}", data, timeout=20) as answer:
                content = answer.read() + str(answer.headers).encode()
        except urllib.error.HTTPError as error:
            content = error.read() + str(error.headers).encode()
            error.close()
        self.seen[f"page {len(self.seen)}, {path}"] = bytes(content)
        return str(content.decode())

    def sign_in(self, pasted: str | None = None) -> str:
        """Go through Google's consent page as the panel leads there; return the address that was pasted."""
        page = self.get("/sign-in-google")
        address = re.search(r'id="google" href="([^"]+)"', page)
        proof = re.search(r'name="(\w+)" value="([0-9a-f]{64})"', page)
        assert address is not None and proof is not None
        answer = pasted or landed(address[1].replace("&amp;", "&"))
        self.get("/sign-in-google", {proof[1]: proof[2], "pasted": answer})
        return answer


@contextlib.contextmanager
def guarded_broker(folder: Path, user: str) -> Iterator[Mosquitto]:
    """A broker that lets in who knows the password."""
    passwords = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), user, PASSWORD], check=True)
    broker = Mosquitto(folder, "allow_anonymous false", f"password_file {passwords}")
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def pasted_login(service: Service, environment: dict[str, str], *words: str) -> tuple[str, bytes]:
    """Sign in at the command line; return the code that Google gave, and all that was printed."""
    command = [sys.executable, "-m", "addon", *words, "--client", "client_secret.json"]
    with subprocess.Popen(
        command,
        cwd=service.data,
        env=service.environment(**environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed: list[str] = []
        while not printed or "http" not in printed[-1]:
            printed.append(process.stdout.readline())
            assert printed[-1], "".join(printed)
        found = re.search(r"https?://\S+", printed[-1])
        assert found is not None
        answer = landed(found[0])
        out, _ = process.communicate(f"{answer}\n", timeout=30)
        assert process.returncode == 0, "".join(printed) + out
        # The address that is opened holds the state and the challenge; it is meant to be seen.
        return code_in(answer), ("".join(printed) + out).encode()


def code_in(address: str) -> str:
    """Return the code in the address that the browser landed on."""
    return str(urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["code"][0])


def of_google(google: GoogleServer) -> dict[str, str]:
    """Return every secret that this Google has given away."""
    with google.lock:
        tokens = google.world.tokens
        given = {f"refresh token {n}": token for n, token in enumerate(tokens.grants)}
        given |= {f"access token {n}": token for n, token in enumerate(tokens.access)}
    return given | {f"push token {n}": str(one["token"]) for n, one in enumerate(google.control.channels())}


def printed(service: Service, environment: dict[str, str], commands: Iterable[str]) -> dict[str, bytes]:
    """Return what commands print, by the command."""
    found = {}
    for command in commands:
        done = service.run(*command.split(), **environment)
        found[f"calbot {command}"] = f"{done.stdout}{done.stderr}".encode()
    return found


def test_no_secret_is_found_anywhere(tmp_path: Path) -> None:
    """Signed in three ways, alerting, beating, pushed to and refused on every road, at level debug."""
    data, scratch = tmp_path / "data", tmp_path / "scratch"
    key, receiver, search = Fernet.generate_key().decode(), Receiver(), Search()
    environment = {"CALBOT_LOG_LEVEL": "debug", "DOTENV_ENCRYPTION_KEY": key, "TMPDIR": str(scratch)}
    with (
        GoogleServer(SystemClock(), [ANNA, BOB], allow_http_push=True) as server,
        guarded_broker(tmp_path, "calbot") as broker,
    ):
        google = server.control
        google.add_client(CLIENT, CLIENT_SECRET)
        ways: list[dict[str, object]] = [
            {"url": f"json://{receiver.host}/in/{HOOK}"},
            {"url": f"json://127.0.0.1:{free_port()}/in/{GONE}"},
            {"gmail": {"from": ANNA, "to": [BOB]}},
        ]
        service = Service(data, server, broker.port, poll_interval=3600, alerts=ways)
        scratch.mkdir()
        (data / "client_secret.json").write_text(
            json.dumps({"installed": {"client_id": CLIENT, "client_secret": CLIENT_SECRET}})
        )
        gmail = f"{server.token_uri.removesuffix('token')}"
        environment |= {"CALBOT_AUTH_URI": server.auth_uri, "CALBOT_GMAIL_API": gmail}
        settings = {
            "MQTT_USERNAME": "calbot",
            "MQTT_PASSWORD": f'"{PASSWORD}"',
            "UPTIME_KUMA_PUSH_URL": f"http://{receiver.host}/api/push/{BEAT}?status=up",
        }
        store(data, Vault(data, key), "".join(f"{name}={value}\n" for name, value in settings.items()))

        # Everything is used.
        code, told = pasted_login(service, environment, "login")
        search.secrets["code at the command line"] = code
        search.places["calbot login"] = told
        google.set_consent(account=ANNA)
        code, told = pasted_login(service, environment, "accounts", "mail", ANNA)
        search.secrets["code for mail"] = code
        search.places["calbot accounts mail"] = told
        ear = Ear(broker.port, "calbot", PASSWORD)
        service.start(**environment)
        wait_for(service.is_watching, 30, "watching")
        wait_for(lambda: ear.is_online, 20, "Calbot on the broker")
        wait_for(lambda: receiver.got(BEAT), 20, "a heartbeat")
        google.create_event(ANNA, {"summary": "Dinner"})
        wait_for(lambda: [row for row in ear.heard if b'"invited"' in row[1]], 30, "an invitation that a push brought")
        browser = Browser(service.panel_port)
        google.set_consent(account=BOB)
        search.secrets["code at the panel"] = code_in(browser.sign_in())
        wait_for((data / "tokens" / f"{BOB}.json").exists, 20, "Bob's sign-in")

        # Everything goes wrong.
        browser.sign_in("http://127.0.0.1:1/?state=another&code=pasted-code-8Jq2mXz7&scope=x")
        search.secrets["pasted code of another"] = "pasted-code-8Jq2mXz7"
        google.expire_access_tokens()
        for kind in ("authError", "notJson", "truncated", "closeBefore"):
            google.add_fault(kind, operation="events.*")
        ear.client.publish("calbot/command/sync", b"\xff\xfe{", qos=1)
        ear.client.publish("calbot/command/undo", json.dumps({"id": "x", "token": "nonsense"}), qos=1)
        google.create_event(ANNA, {"summary": "Lunch"})
        (data / "tokens" / "carol@example.com.json").write_text("not JSON")
        wait_for(lambda: receiver.got(HOOK), 30, "an alert at the hook")
        wait_for(google.gmail, 30, "an alert by mail")
        wait_for(lambda: "through json 2 did not arrive" in service.log(), 30, "a word about the hook that is gone")
        search.secrets |= of_google(server)
        google.revoke(ANNA)
        google.create_event(ANNA, {"summary": "Breakfast"})
        ear.client.publish("calbot/command/sync", b"{}", qos=1)
        wait_for(lambda: "no longer accepts the sign-in" in service.log(), 30, "the refused refresh")
        receiver.status = 500
        beats = receiver.got(BEAT)
        wait_for(lambda: receiver.got(BEAT) > beats, 90, "a heartbeat that is refused")

        # The search.
        for page in (*PAGES, "/health", "/diagnostics", "/live"):
            browser.get(page)
        assert service.process is not None
        search.processes(service.process.pid)
        commands = ("check --json", "accounts --json", "alerts --json", "channels --json", "sync --json", "version")
        search.places |= printed(service, environment, commands)
        search.places |= printed(
            service, {**environment, "DOTENV_ENCRYPTION_KEY": Fernet.generate_key().decode()}, ["check"]
        )
        search.files(data)
        assert service.stop()[0] == 0
        ear.close()
    search.secrets |= {**of_google(server), "client secret": CLIENT_SECRET, "key": key, "MQTT password": PASSWORD}
    search.secrets |= {"alert URL": HOOK, "alert URL that is gone": GONE, "heartbeat URL": BEAT}
    search.files(data)
    search.files(scratch)
    search.places |= {f"message {n} on {topic}": body for n, (topic, body) in enumerate(ear.heard)}
    search.places |= browser.seen

    assert search.leaks() == []
    kinds = {re.sub(r" \d+$", "", what) for what in search.secrets}
    assert {"refresh token", "access token", "push token", "code for mail", "code at the panel"} <= kinds
    assert b"Status: " in search.places[str(data / "logs" / "calbot.log")]
    assert (data / NAME).exists() and any(
        name.startswith("page") and b"Dinner" in page for name, page in browser.seen.items()
    )


def test_no_secret_of_the_supervisor_is_found_anywhere(tmp_path: Path) -> None:
    """Its token, the broker's password from it, and the key file, which opens what is sealed there."""
    data, search = tmp_path / "data", Search()
    with (
        GoogleServer(SystemClock(), [ANNA], allow_http_push=True) as server,
        guarded_broker(tmp_path, "addons") as broker,
        FakeSupervisor(token=SUPERVISOR) as fake,
    ):
        service = Service(
            data, server, broker.port, push_url=None, mqtt={}, notify=["notify.gone", "notify.mobile_app_anna"]
        )
        service.sign_in(ANNA)
        surroundings = {
            "SUPERVISOR_TOKEN": SUPERVISOR,
            "CALBOT_SUPERVISOR_URL": fake.address,
            "CALBOT_BIND": "127.0.0.1",
        }
        surroundings |= {"CALBOT_LOG_LEVEL": "debug"}
        fake.install_broker(broker.port, PASSWORD)
        fake.fail("/core/api/services/notify/gone", 401, f"401: {SUPERVISOR}")
        ear = Ear(broker.port, "addons", PASSWORD)
        service.start(**surroundings)
        wait_for(service.is_watching, 30, "watching")
        wait_for(lambda: ear.is_online, 20, "Calbot on the broker")
        (data / "tokens" / "carol@example.com.json").write_text("not JSON")
        wait_for(lambda: fake.told("notify/mobile_app_anna"), 30, "an alert")
        wait_for(lambda: "notify.gone did not arrive" in service.log(), 30, "the refused one")
        assert service.process is not None
        search.processes(service.process.pid)
        search.places["health"] = service.get("/health")[1].encode()
        search.places["a page that is refused"] = service.get("/")[1].encode()
        assert service.stop()[0] == 0
        fake.install_broker(broker.port, WRONG)
        service.start(**surroundings)
        wait_for(lambda: "refused the user name or password" in service.log(), 20, "the wrong password")
        assert service.stop()[0] == 0
        ear.close()
        assert all(call.token == SUPERVISOR for call in fake.calls())
        search.secrets |= of_google(server)
    key = (data / "calbot.key").read_text().strip()
    search.secrets |= {"Supervisor's token": SUPERVISOR, "password": PASSWORD, "wrong password": WRONG, "key file": key}
    search.places |= {f"message {n} on {topic}": body for n, (topic, body) in enumerate(ear.heard)}
    search.files(data)

    assert search.leaks() == []
    assert len(search.places) > 10
