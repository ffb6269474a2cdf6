"""What an idle service asks of Google: calls for each calendar and poll, when nothing happens."""

import argparse
import time

from bench import figures, household, programs
from bench.figures import Figure

ANNA, BOB = "anna@example.com", "bob@example.com"
POLL_SECONDS = 15


def measure(*, quick: bool) -> list[Figure]:
    """Count calls over whole polls of two calendars: one poll when quick, else four."""
    polls = 1 if quick else 4
    with programs.google(ANNA, BOB) as google:
        for account in (ANNA, BOB):
            google("seed_events", calendar=account, count=50)
        with household.calbot(
            accounts=google.accounts,
            calendar_api=google.calendar_api,
            token_uri=google.token_uri,
            options={"invite_emails": ["carol@example.com"], "poll_interval": POLL_SECONDS},
        ) as service:
            assert programs.until(
                lambda: service.is_online() and google("counters")["operations"].get("events.list", 0) >= 2,
                20,
                every=0.2,
            ), "it did not read its calendars"
            time.sleep(POLL_SECONDS / 2)
            google("reset_calls")
            time.sleep(POLL_SECONDS * polls)
            operations = google("counters")["operations"]
    others = {name: count for name, count in operations.items() if name != "events.list"}
    return [
        Figure(
            name="idle poll: calls for each calendar",
            value=sum(operations.values()) / polls / 2,
            unit="calls",
            goal=1,
            floor="1 list",
            note=f"2 calendars, {polls} polls, others: {others or 'none'}",
        )
    ]


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    figures.told(measure(quick=parser.parse_args().quick))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
