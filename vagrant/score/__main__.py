"""python -m score: score guests, or begin a new measurement.

Exit codes of `score`: 0 nothing lost, 1 something lost, 2 wrong use, 3 unknown (nothing is known to be lost, but not
everything could be looked at).
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from score.audit import AUDIT_PORT
from score.judge import GuestScore
from score.scoring import measure, reset
from score.spool import SpoolError

LOST, UNUSABLE, UNKNOWN = 1, 2, 3


def _guest(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    if not (name and equals and address):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ADDRESS")
    return name, address


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="score", description="Outage and lost writes of score-keeping guests.")
    commands = parser.add_subparsers(dest="command", required=True)
    score = commands.add_parser("score", help="read the disks back and judge")
    score.add_argument("--guest", action="append", required=True, type=_guest, metavar="NAME=ADDRESS")
    score.add_argument("--json", action="store_true", help="one object by guest name")
    score.add_argument("--reset", action="store_true", help="begin a new measurement where this one ends")
    score.add_argument("--deadline", type=float, default=60.0, metavar="SECONDS", help="for the audit (60)")
    score.add_argument("--port", type=int, default=AUDIT_PORT, help=f"audit port of the guests ({AUDIT_PORT})")
    begin = commands.add_parser("reset", help="begin a new measurement now, without judging the old one")
    for command in (score, begin):
        command.add_argument("--spool", required=True, type=Path, metavar="DIR")
    return parser


def _line(guest: str, score: GuestScore) -> str:
    gap = "never heard of" if score.longest_gap_ms is None else f"longest gap {score.longest_gap_ms:.0f} ms"
    lost = f"lost {score.lost}"
    if score.lost is None:
        lost = f"lost UNKNOWN, at least {score.lost_at_least} ({score.why_unknown})"
    return f"{guest}: announced {score.announced}, {gap}, {lost}"


def _exit_code(scores: Mapping[str, GuestScore]) -> int:
    if any(score.lost_at_least for score in scores.values()):
        return LOST
    return UNKNOWN if any(score.lost is None for score in scores.values()) else 0


def _score(options: argparse.Namespace) -> int:
    measurement = measure(options.spool, dict(options.guest), options.deadline, options.port)
    scores = {guest: verdict.score for guest, verdict in measurement.verdicts.items()}
    if options.reset:
        reset(options.spool, measurement)
    if options.json:
        print(json.dumps({guest: dataclasses.asdict(score) for guest, score in scores.items()}, indent=2))
    else:
        print("\n".join(_line(guest, score) for guest, score in scores.items()))
    return _exit_code(scores)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    options = _parser().parse_args(argv)
    try:
        if options.command == "score":
            return _score(options)
        reset(options.spool)
    except SpoolError as error:
        print(f"score: {error}", file=sys.stderr)
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
