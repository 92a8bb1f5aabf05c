"""python -m tests.mutation [MODULE ...]: which mutants of what decides no test notices, and whether each may live.

Without MODULE all modules in pyproject.toml, and the tables. Called from the repository, with mutmut on the PATH.
Exit codes: 0 each that lives is explained, 1 one is not, or what is explained does not live.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutation import mutants, tables

EXPLAINED = Path(__file__).with_name("survivors.toml")


def main() -> int:
    """Try them, say what lived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", metavar="MODULE", nargs="*", help="such as dualsrm.plan.move")
    asked = parser.parse_args()
    wrong = _try_functions(asked.modules)
    return 1 if wrong + (0 if asked.modules else _try_tables()) else 0


def _try_functions(modules: list[str]) -> int:
    every = mutants.run(modules)
    living = mutants.survivors(every)
    explained = mutants.explained(EXPLAINED)
    total, lived = Counter(one.module for one in every), Counter(one.module for one in living)
    unexplained = {one: change for one, change in living.items() if change not in explained}
    open_ = Counter(one.module for one in unexplained)
    shown = Table("module", "mutants", "killed", "explained", "not explained")
    for name, count in sorted(total.items()):
        shown.add_row(name, *map(str, (count, count - lived[name], lived[name] - open_[name], open_[name])))
    Console().print(shown)
    for one, change in unexplained.items():
        print(f"{one.name} lives ({one.status}):\n  - {change.was}\n  + {change.becomes}")
    tried = {one.function for one in every}
    stale = [change for change in explained if change.function in tried and change not in living.values()]
    for change in stale:
        print(f"{EXPLAINED.name} explains what does not live, in {change.function}: {change.was} -> {change.becomes}")
    return len(unexplained) + len(stale)


def _try_tables() -> int:
    count, lived = Counter[str](), 0
    for tests, some in tables.variants():
        for variant in some:
            name = f"{variant.module.__name__}.{variant.table}"
            count[name] += 1
            if tables.lives(variant, tests):
                lived += 1
                print(f"{name} lives: {variant.what}", flush=True)
    for name, tried in count.items():
        print(f"{name}: {tried} mutants")
    print(f"{lived} of them live")
    return lived


if __name__ == "__main__":
    sys.exit(main())
