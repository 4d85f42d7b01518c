"""`make bench`: every benchmark against its baseline, one after the other. Tables go to results/benchmarks/."""

from __future__ import annotations

import subprocess
import sys

MODEL = ("training", "training_loop", "decoding", "growth", "muon")
PARTS = ("fit", *(f"model.{part}" for part in MODEL), "sweeps", "corpora", "tasks")


def main() -> int:
    """Run each part in a process of its own, so that one's memory and threads leave the next alone."""
    return max(subprocess.call([sys.executable, "-m", f"benchmarks.{part}"]) for part in PARTS)


if __name__ == "__main__":
    sys.exit(main())
