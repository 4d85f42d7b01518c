"""Outputs under the examples of the documentation, as the commands print them.

    python docs/tools/examples.py            run every example and write what it prints under it
    python docs/tools/examples.py --check    say which outputs are no longer what is printed, and change nothing

An example is a block ```console whose first line is "$ COMMAND"; what follows is its output. Commands run in the root
of the repository, at 80 columns, and write nothing into it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)```", re.DOTALL)
QUOTED = "first-experiment.md"  # `python -m benchmarks.refresh_quotes` writes its outputs
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name != QUOTED)


def printed(command: str) -> str:
    """What a command prints; RuntimeError where it fails."""
    words = shlex.split(command)
    words[:1] = [sys.executable, "-m", "parscale"] if words[0] == "parscale" else words[:1]
    here = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=here, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


def renewed(text: str) -> str:
    """A page with every example's output as it is printed now."""
    return BLOCK.sub(lambda m: f"```console\n$ {m['command']}\n{printed(m['command'])}```", text)


def main(words: list[str]) -> int:
    """Renew or check every page."""
    stale = [
        page for page in PAGES if BLOCK.search(old := page.read_text()) and old != _kept(page, old, words)
    ]
    print(*(page.relative_to(ROOT) for page in stale), sep="\n")
    return int("--check" in words and bool(stale))


def _kept(page: Path, old: str, words: list[str]) -> str:
    """The page as it ought to be, written unless only checked."""
    new = renewed(old)
    if new != old and "--check" not in words:
        page.write_text(new)
    return new


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
