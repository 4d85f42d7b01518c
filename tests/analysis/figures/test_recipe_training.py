"""Curves of recipes, and measures against P."""

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from tests.analysis.artists import text


def test_training_curves_say_when_each_stream_count_passes_one():
    tokens = np.arange(1, 11) * 1e6
    frames = [
        pd.DataFrame({"P": P, "tokens": tokens, "train_loss": loss, "recipe": "two-stage"})
        for P, loss in ((1, np.full(10, 2.0)), (2, np.where(tokens < 4.5e6, 2.5, 1.9)), (4, np.full(10, 2.2)))
    ]
    (axes,) = figures.training_curves(pd.concat(frames)).axes
    assert axes.get_title() == "two-stage"
    assert "$P = 2$: from 5M tokens" in text(axes)
    assert "$P = 4$: not within the run" in text(axes)
    assert axes.get_xlabel() == "training tokens"
    empty = frames[0].assign(train_loss=np.nan)
    assert "no training loss was logged" in text(figures.training_curves(empty).axes[0])


def test_against_streams_writes_both_ends():
    table = pd.DataFrame({"P": [1, 8], "score": [47.4, 53.0]})
    (axes,) = figures.against_streams(table, {"score": "pass@1"}, label="code average (%)").axes
    assert text(axes) == "47.4\n53"
    assert axes.get_ylabel() == "code average (%)"
    bars = table.assign(score=table["score"] / 10, half=0.25)
    given = {"errors": {"score": "half"}, "form": ".3f", "remark": "bars: 95%"}
    (axes,) = figures.against_streams(bars, {"score": "pass@1"}, label="x", **given).axes
    assert text(axes) == "4.740\n5.300\nbars: 95%"
    assert axes.collections[0].get_segments()[1][:, 1] == pytest.approx([5.05, 5.55])
