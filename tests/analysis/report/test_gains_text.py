"""What is said of gains in words: scatter over seeds, budgets, averaged streams."""

import numpy as np
import pandas as pd
import pytest

from analysis.report.gains_text import averaged_streams_text, gains_text, seed_scatter_text
from scaling.selection.paired_gains import gains, noise_over_seeds
from tests.scaling.paired_runs import made


def test_seeds_scatter_less_in_a_change_than_in_a_run() -> None:
    (row,) = noise_over_seeds(made(seeds=40, noise=0.01, apart=0.05)).to_dict("records")
    assert row["of_a_run"] == pytest.approx(np.hypot(0.05, 0.01), rel=0.2)
    assert row["of_a_change"] == pytest.approx(0.01 * np.sqrt(2), rel=0.1)
    assert row["pairs"] == 8 * 39
    assert f"({row['pairs']} " in seed_scatter_text(row)


def test_one_seed_says_so() -> None:
    runs = made(seeds=1)
    assert gains(runs)[["low", "high", "spread"]].isna().all().all()
    (row,) = noise_over_seeds(runs).to_dict("records")
    assert "(" not in seed_scatter_text(row)


def test_token_budgets_are_no_seeds() -> None:
    runs = made(seeds=1)
    longer = runs.assign(D=4e6, loss=runs["loss"] - 0.3 * (runs["P"] > 1))
    table = gains(pd.concat([runs.assign(D=1e6), longer], ignore_index=True))
    assert (table["seeds"] == 1).all()
    by_D = table.pivot_table(index=["size", "P"], columns="D", values="change")
    assert (by_D[1e6] - by_D[4e6]).to_numpy() == pytest.approx(0.3)
    assert " D " in gains_text(table).splitlines()[0]


def test_what_averaging_gained_on_two_corpora_is_not_averaged():
    table = pd.DataFrame({"m": [1, 2, 1, 2], "run_id": ["a", "a", "b", "b"], "corpus": ["x", "x", "y", "y"]})
    table = table.assign(size="32x2", P=2, loss=4.0, line=0.1, similarity=0.9, entropy=0.5)
    said = averaged_streams_text(table.assign(gain=[0.0, 0.1, 0.0, 0.3])).splitlines()
    assert [line.split()[:6] for line in said[-2:]] == [
        ["x", "32x2", "2", "1", "4.0000", "0.1000"],
        ["y", "32x2", "2", "1", "4.0000", "0.3000"],
    ]
