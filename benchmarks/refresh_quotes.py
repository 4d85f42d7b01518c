"""Refresh what a text quotes: every ```console block that begins with `$ parscale ...` is run again, every table is read again.

    python -m benchmarks.refresh_quotes docs/first-experiment.md docs/second-experiment.md

A table stands between `<!-- table FILE.csv: COLUMN, COLUMN -->` (`*` for all columns) and `<!-- end of table -->`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis.output.formatted_tables import markdown
from scaling.data.atomic_files import replacing

BLOCK = re.compile(r"(```console\n\$ parscale )(.+)\n(?:.*\n)*?(```)")


def quoted(text: str, run: Callable[[list[str]], str]) -> str:
    """The text with the output of each quoted command as `run`, given its words, returns it now."""

    def now(block: re.Match[str]) -> str:
        lines = (line.rstrip() for line in run(block[2].split()).strip("\n").splitlines())
        return "\n".join([f"{block[1]}{block[2]}", *lines, block[3]])

    return BLOCK.sub(now, text)


TABLE = re.compile(r"(<!-- table (\S+\.csv): (.+) -->\n)(?:.*\n)*?(<!-- end of table -->)")


def with_tables(text: str) -> str:
    """The text with the named columns of each table as its file has them now."""

    def now(mark: re.Match[str]) -> str:
        table = pd.read_csv(mark[2], comment="#")
        return f"{mark[1]}{markdown(table if mark[3] == '*' else table[mark[3].split(', ')])}{mark[4]}"

    return TABLE.sub(now, text)


def parscale(words: list[str]) -> str:
    """What a command prints. If it fails, this program ends."""
    print("parscale", *words, flush=True)
    done = subprocess.run([sys.executable, "-m", "parscale", *words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def main(names: list[str]) -> None:
    """Refresh each file."""
    for path in map(Path, names):
        text = with_tables(quoted(path.read_text(encoding="utf-8"), parscale))
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
