"""Runs the fake as a program: prints one JSON line with addresses and sign-ins, then serves until stopped."""

import argparse
import json
import signal
import threading
import time

from tests.google_server.http import GoogleServer
from tests.google_server.tokens import CALENDAR_SCOPES, PREFIX


class MachineClock:
    """The machine's own time."""

    def now(self) -> float:
        return time.time()


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.google_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the Google side; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="of the control side; 0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="how long every call takes")
    parser.add_argument("--account", action="append", default=[], help="an account; may be given several times")
    parser.add_argument("--seed-events", type=int, default=0, help="events in each primary calendar at the start")
    parser.add_argument("--allow-http-push", action="store_true", help="accept http addresses for push channels")
    parser.add_argument("--validate", action="store_true", help="check the answers against the discovery document")
    parser.add_argument("--with-gmail", action="store_true", help="the sign-ins may send mail, too")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    google = GoogleServer(
        MachineClock(),
        options.account or ["anna@example.com"],
        port=options.port,
        control_port=options.control_port,
        validate=options.validate,
        allow_http_push=options.allow_http_push,
    )
    scopes = CALENDAR_SCOPES + ((PREFIX + "gmail.send",) if options.with_gmail else ())
    with google:
        google.control.set_latency(options.latency_ms)
        for account in list(google.world.accounts):
            if options.seed_events:
                google.control.seed_events(account, options.seed_events)
        print(json.dumps(google.addresses(scopes)), flush=True)
        while not stop.wait(1.0):
            pass
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
