"""Tables of sweeps by recipe: P against one stream, P on a frozen backbone."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures.panel_parts import LOSS_LABEL
from analysis.report import sweep_figures, sweep_report
from analysis.sweep import recipe_tables, results
from tests.analysis.recipe_sweep import recipe_sweep


def test_a_diverged_run_is_not_set_beside_one_stream(tmp_path):
    runs = recipe_sweep(tmp_path / "s", "continual", sizes=("b",))
    runs.assign(status=np.where(runs["P"] == 4, "diverged", "ok")).to_parquet(tmp_path / "s" / "runs.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert recipe_tables.crossings(seen)["P"].tolist() == [2]
    assert recipe_tables.loss_by_P(seen)[0]["P"].tolist() == [1, 2]
    assert "$P = 4$:" not in sweep_figures.sweep_figures(seen)["training"]().axes[0].texts[0].get_text()


def test_a_frozen_backbone_stands_at_P_1_once_it_is_measured(tmp_path):
    runs, folder = recipe_sweep(tmp_path / "s", "peft", sizes=("base",), streams=(2, 4)), tmp_path / "s"
    seen = results.read_sweep(folder)
    assert any("`parscale streams`" in line for line in seen.missing)
    table, words, measured = recipe_tables.loss_by_P(seen)
    assert (table["P"].tolist(), list(words.values()), measured) == ([2, 4], ["base, c: peft"], False)
    rows = [
        {
            "run_id": r,
            "size": "base",
            "N": n,
            "P": P,
            "m": m,
            "gain": 1e-4 * (m > 1),
            "gain_se": 1e-5,
            "line": 0,
        }
        for r, n, P in runs[["run_id", "N", "P"]].itertuples(index=False)
        for m in (1, P)
    ]
    streams = pd.DataFrame(rows).assign(loss=3.9, backbone=3.91, over_backbone_se=0.001)
    streams["own"] = 3.91 - 0.004 * streams["P"] / 2
    streams.assign(over_backbone=3.91 - streams["own"]).to_parquet(folder / "streams.parquet")
    seen = results.read_sweep(folder)
    assert not any("parscale streams" in line for line in seen.missing)
    (axes,) = sweep_figures.sweep_figures(seen)["by-P"]().axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 4]
    assert axes.lines[0].get_ydata() == pytest.approx([3.91, 3.906, 3.902])
    bars = [np.ptp(segment[:, 1]) for c in axes.collections for segment in c.get_segments()]
    assert bars == pytest.approx([0, 2 * 1.96e-3, 2 * 1.96e-3])
    assert "$P$" in axes.get_title()
    assert axes.get_ylabel().endswith(LOSS_LABEL)
    gains = recipe_tables.gains_over_backbone(seen)
    assert gains["over P = 1"].tolist() == pytest.approx([0.004, 0.008])
    assert gains["by averaging noise"].tolist() == pytest.approx([1.96e-5] * 2)
    assert sweep_report.write_report(folder).is_file()
