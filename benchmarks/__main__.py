"""Run benchmarks one after the other, and end with a table of all that has a target.

    python -m benchmarks NAMES [OPTIONS]

The options go on to each benchmark. One that stops with an error does not keep the next from
running. Benchmarks that were not run count with the results that are stored.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import takewhile

from benchmarks.report import update_targets


def main() -> int:
    """Run what the command line names; the number of benchmarks that stopped with an error."""
    names = list(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    options = sys.argv[len(names) + 1 :]
    failed = []
    for name in names:
        print(f"\n{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options]).returncode:
            failed.append(name)
    print(f"\n{update_targets()}")
    if failed:
        print(f"\nstopped with an error: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
