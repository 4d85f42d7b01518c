"""`parscale demo`: the main job from sweep to fit."""

import re

import pytest

from tests.parscale.commands import command

GRID = """
from dataclasses import replace
from sweeps.grids.grids import find

def grid(axes):
    return [replace(run, eval_tokens=5_000) for run in find("ci")(replace(axes, tokens=20_000))]
"""


@pytest.mark.slow
def test_the_main_job_end_to_end(tmp_path):
    """Sweep, fit, draw on real text. The sweep alone finds nothing left to train. The fit round-trips."""
    small = tmp_path / "small.py"
    small.write_text(GRID)
    first = command("demo", "--grid", str(small), "--out", str(tmp_path))
    out, _ = first.communicate(timeout=600)
    assert first.returncode == 0, out
    assert "6 runs trained" in out
    assert "R2" in out
    for name in (
        "runs.parquet",
        "figures/fig2.png",
        "figures/fig2.pdf",
        "figures/equivalents.png",
        "fits/parallel-stdlib.json",
    ):
        assert (tmp_path / name).exists(), name
    again = command("sweep", str(small), "--out", str(tmp_path))
    out, _ = again.communicate(timeout=300)
    assert again.returncode == 0, out
    assert re.search(r"\b6 runs\b", out)

    import scaling

    runs = scaling.read_runs(tmp_path)
    fit = scaling.fit(scaling.ParallelLaw, runs)
    fit.save(tmp_path / "again.json")
    back = scaling.Fit.load(tmp_path / "again.json")
    assert back.law == fit.law
    assert (back.predicted == fit.predicted).all()
    assert back.law == scaling.Fit.load(tmp_path / "fits/parallel-stdlib.json").law
