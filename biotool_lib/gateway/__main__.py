"""`python -m biotool_lib.gateway canary --recordings FOLDER`: what drifted at the live services since it was recorded."""

from __future__ import annotations

import argparse
import json
import sys

from ..catalogue import tools
from ..errors import status_of
from .canary import watch
from .client import Client


def main(arguments: list[str] | None = None) -> int:
    """Command line; the exit status is 0 where nothing drifted, 1 where something did or went unanswered, 2 for an error."""
    parser = argparse.ArgumentParser(prog="python -m biotool_lib.gateway", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="canary")
    canary = commands.add_parser("canary", help="compare today's live answers with recorded ones")
    canary.add_argument("--recordings", required=True, help="folder with an index.jsonl")
    canary.add_argument("--functions", nargs="+", metavar="NAME", help="only these functions")
    canary.add_argument("--calls", type=int, default=1, help="newest recorded calls to compare of each function (default 1)")
    canary.add_argument("--record", metavar="FOLDER", help="record today's answers there")
    canary.add_argument("--endpoint", action="append", default=[], metavar="HOST=URL", help="ask another server in a service's stead")
    canary.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    return status_of(lambda: _canary(options))


def _canary(options: argparse.Namespace) -> int:
    for name in options.functions or ():
        tools()[name]  # an unknown name is an error that names the nearest
    replay = Client("replay", recordings=options.recordings)
    live = Client("live", record=options.record, cache=None, endpoints=dict(pair.partition("=")[::2] for pair in options.endpoint))
    verdicts = []
    for seen in watch(replay, live, options.functions, options.calls):
        verdicts.append(seen.verdict)
        print(json.dumps(seen.row()) if options.json else "\n  ".join([
            f"{seen.verdict:10} {seen.function} {seen.url} ({seen.then}, {seen.recorded or 'undated'}; now {seen.now})",
            *(f"{what} {path}" for what in ("gone", "new", "changed") for path in getattr(seen, what)),
        ]), flush=True)
    if not options.json:
        print(f"{len(verdicts)} calls: " + ", ".join(f"{verdicts.count(word)} {word}" for word in ("same", "drifted", "unanswered")))
    return 0 if set(verdicts) <= {"same"} else 1


if __name__ == "__main__":
    sys.exit(main())
