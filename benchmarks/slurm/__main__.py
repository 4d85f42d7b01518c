"""`python -m benchmarks.slurm [FAULT ...]`: a private Slurm, a sweep on it under each fault, a log of each."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.slurm.faults import FAULTS, Scene, recorded
from benchmarks.slurm.private_cluster import PrivateCluster, missing_program

FEATURES = ["a", "b", "c", "c", "d", "d"]  # of the nodes: what disturbs one sweep leaves the others alone
AT_ONCE = 2  # faults, each with up to four processes of torch


def documents(folder: Path) -> str:
    """A corpus name: made-up words, as many as the longest run reads."""
    folder.mkdir()
    generator = random.Random(3)
    words = [f"{a}{b}" for a in "bdfgklm" for b in ("a", "en", "ir", "os", "ul")]
    for number in range(600):
        lines = [" ".join(generator.choices(words, k=12)) for _ in range(60)]
        (folder / f"{number}.txt").write_text("\n".join(lines))
    return f"files:{folder}/*.txt"


def main(names: list[str]) -> int:
    """Try the faults named, or all. Returns 1 if one fails."""
    if missing := missing_program():
        print(f"{missing} is not installed: apt-get install slurmctld slurmd slurm-client munge")
        return 2
    if unknown := set(names) - set(FAULTS):
        print(f"unknown: {', '.join(sorted(unknown))}. Choose among {', '.join(FAULTS)}")
        return 2

    def attempt(name: str) -> bool:
        try:
            with recorded(Scene(name, cluster, corpus)) as scene:
                FAULTS[name](scene)
        except Exception as error:
            print(f"{name}: {error}", flush=True)
            return False
        print(f"{name}: held after {scene.now():.0f} s", flush=True)
        return True

    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        os.environ["PARSCALE_CACHE"] = str(Path(folder) / "cache")
        corpus = documents(Path(folder) / "documents")
        with (
            PrivateCluster(Path(folder) / "s", FEATURES, array=6) as cluster,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            return 0 if all(list(pool.map(attempt, names or FAULTS))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
