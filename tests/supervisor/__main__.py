"""`python -m tests.supervisor --host 0.0.0.0 --port 80 --broker 172.30.33.1:1883`: beside a container.

`POST /fake/` with `{"mqtt": {...} | null, "faults": {"/core/": {"status": 502}}}` changes it; any answer there lists
the calls and the notifications.
"""

import argparse
import threading

from tests.supervisor.server import TOKEN, FakeSupervisor


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--broker", default="", help="host:port")
    parser.add_argument("--password", default=None)
    wish = parser.parse_args()
    with FakeSupervisor(wish.host, wish.port, wish.token) as supervisor:
        if wish.broker:
            host, _, port = wish.broker.rpartition(":")
            supervisor.install_broker(int(port), wish.password, host)
        print(supervisor.address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
