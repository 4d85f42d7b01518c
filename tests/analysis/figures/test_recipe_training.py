"""Curves of recipes, and measures against P."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.sweep import training_gap
from tests.analysis.artists import text
from tests.analysis.recipe_sweep import PASSES, STEP, curves_of


def test_training_curves_say_when_each_stream_count_passes_one():
    tokens = np.arange(1, 11) * 1e6
    frames = [
        pd.DataFrame({"P": P, "tokens": tokens, "train_loss": loss, "recipe": "two-stage"})
        for P, loss in ((1, np.full(10, 2.0)), (2, np.where(tokens < 4.5e6, 2.5, 1.9)), (4, np.full(10, 2.2)))
    ]
    (axes,) = figures.training_curves(pd.concat(frames)).axes
    assert axes.get_title() == "two-stage"
    assert re.search(r"\$P = 2\$: .*\b5M\b", text(axes))
    assert re.search(r"\$P = 4\$: \D+$", text(axes), re.MULTILINE)
    assert axes.get_xlabel() == "training tokens"
    empty = frames[0].assign(train_loss=np.nan)
    assert text(figures.training_curves(empty).axes[0])


def test_against_streams_writes_both_ends():
    table = pd.DataFrame({"P": [1, 8], "score": [47.4, 53.0]})
    (axes,) = figures.against_streams(table, {"score": "pass@1"}, label="code average (%)").axes
    assert text(axes) == "47.4\n53"
    assert axes.get_ylabel() == "code average (%)"
    bars = table.assign(score=table["score"] / 10, half=0.25)
    given = {"errors": {"score": "half"}, "form": ".3f", "remark": "bars: 95%"}
    (axes,) = figures.against_streams(bars, {"score": "pass@1"}, label="x", **given).axes
    assert text(axes) == "bars: 95%\n4.740\n5.300"
    assert axes.collections[0].get_segments()[1][:, 1] == pytest.approx([5.05, 5.55])


def test_tokens_of_stage_2_are_counted_from_its_beginning():
    second = curves_of({2: PASSES[2]}, before=300_000, recipe="two-stage")
    first = second[second["P"] == 1].assign(recipe="stage-1", run_id="s", begin=300_000)
    first["tokens"] -= 100_000
    (axes,) = figures.training_curves(pd.concat([first, second]), panel="none").axes
    assert axes.get_xlabel().endswith("2")
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["$P = 2$"].get_xdata().min() == STEP
    stage_1 = lines["stage 1, $P = 1$"].get_xdata()
    assert (stage_1.min(), stage_1.max()) == (-30_000, 0)  # as much of it as leaves room for stage 2
    assert any(list(line.get_xdata()) == [0, 0] for line in axes.lines)
    assert re.search(r"\$P = 2\$: \D*1", axes.texts[0].get_text())
    assert axes.texts[0].xy == (0.5, 1)  # the note is above the panel, not over the curves
    named = figures.training_curves(second, panel="none", absent={"": "no curve of P = 4"})
    assert "no curve of P = 4" in text(named.axes[0])


def test_gaps_are_drawn_in_thousandths_with_their_end():
    table = training_gap.gaps(curves_of(PASSES).assign(panel="64x2"), "train_loss", ["panel"])
    (axes,) = figures.beside_one(table).axes
    assert axes.get_title() == "64x2"
    assert axes.get_ylabel().startswith("training loss above $P = 1$\n($10^{-3}$ nats")
    line = next(line for line in axes.lines if line.get_label() == "$P = 4$")
    assert np.median(line.get_ydata()) == pytest.approx(20, abs=0.5)
    low, high = axes.get_ylim()
    assert low < -20 < 20 < high
    gaps = re.findall(r"\$P = (\d+)\$.* (\S+) ± ", axes.texts[0].get_text())
    assert gaps == [("2", "−3.8"), ("4", "+19.9"), ("8", "−20.4"), ("16", "−0.5")]
    assert "$P > 1$" in figures.beside_one(table.iloc[:0]).axes[0].texts[0].get_text()
