"""The benchmark of forecasts: its splits, its choice of numbers, and that the docs show what it measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.forecast import __main__ as bench
from benchmarks.forecast.splits import COMPUTE, NARROW, SIZE, splits, tables

ROOT = Path(__file__).parents[2]


def test_splits_fit_the_smaller_runs_and_ask_for_the_larger() -> None:
    found = [split for table in tables() for split in splits(table)]
    assert {split.kind for split in found} == {SIZE, COMPUTE, NARROW}
    assert len({split.table.family for split in found}) >= 9
    for split in found:
        assert len(split.fitted) + len(split.asked) == len(split.table.runs)
        assert set(split.fitted) <= {"N", "P", "D", "expansion", "loss"}
        if split.kind == COMPUTE:
            C = [
                np.prod([part[a] for a in ("N", "P", "D") if a in part], axis=0)
                for part in (split.fitted, split.asked)
            ]
            assert C[0].max() < C[1].min()
            assert split.reach >= 10 * (1 - 1e-9)
        elif "P" not in split.fitted:
            assert split.fitted.N.max() < split.asked.N.min()


def test_a_family_s_numbers_are_chosen_by_the_others() -> None:
    """Only family b prefers the fourth. The other families choose the eighth."""
    rows, names = [], list(bench.GRID)
    for family in "abc":
        for kind in (SIZE, COMPUTE):
            keys = {"family": family, "table": family, "kind": kind}
            rows.append({**keys, "method": bench.PLAIN, "coverage": 0.7, "width": 1.0, "score": 1.0})
            for place in range(len(bench.GRID)):
                good = 0.1 if family == "b" and place == 3 else 0.6 if place == 7 else 0.8
                rows.append({**keys, "method": names[place], "coverage": 0.96, "width": 1.0, "score": good})
    grid = pd.DataFrame(rows)
    assert bench.choice(grid, "b") == names[7]
    assert bench.choice(grid, None) == names[3]
    covered = grid.assign(
        coverage=np.where((grid.method == names[7]) & (grid.kind == COMPUTE), 0.9, grid.coverage)
    )
    assert bench.choice(covered, "b") != names[7]


def test_ratios_are_to_the_prediction_interval_of_the_same_split() -> None:
    keys = {"family": "a", "table": "t"}
    rows = pd.DataFrame(
        [
            {**keys, "kind": SIZE, "method": bench.PLAIN, "coverage": 0.5, "width": 0.2, "score": 0.8},
            {**keys, "kind": NARROW, "method": bench.PLAIN, "coverage": 1.0, "width": 0.1, "score": 0.1},
            {**keys, "kind": SIZE, "method": bench.POOLED, "coverage": 1.0, "width": 0.3, "score": 0.3},
            {**keys, "kind": NARROW, "method": bench.POOLED, "coverage": 1.0, "width": 0.05, "score": 0.05},
        ]
    )
    found = bench.relative(rows)
    assert found.width_ratio.tolist() == pytest.approx([1, 1, 1.5, 0.5])
    assert found.score_ratio.tolist() == pytest.approx([1, 1, 0.375, 0.5])
    total = bench.summary(found[found.method == bench.POOLED])
    assert total["total score"] == pytest.approx(0.35 / 0.9)
    assert total["score"] == pytest.approx(np.sqrt(0.375 * 0.5))


def test_the_docs_show_what_was_measured() -> None:
    text = (ROOT / "results/benchmarks/forecast.md").read_text().split("\n\n", 1)[1].strip()
    assert text in (ROOT / "docs/forecast.md").read_text()


def test_the_numbers_shipped_are_those_that_all_families_choose() -> None:
    grid = pd.read_csv(ROOT / "results/benchmarks/forecast_choice.csv")
    assert bench.chosen(grid)[None] == bench.Tuned()
