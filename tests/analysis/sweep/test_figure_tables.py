"""Tables that figures draw: residuals, backtests."""

import pandas as pd
import pytest

import scaling
from analysis.sweep import figure_tables


def test_runs_without_a_size_are_grouped_into_sizes(published):
    runs = published.corpus("pile").drop(columns="size")
    fits = {"pile": scaling.fit(scaling.ParallelLaw, runs)}
    table = figure_tables.residual_table(fits, {"pile": runs})
    assert sorted(table["size"].unique()) == ["0.5B", "0.7B", "1.1B", "1.6B", "2.8B", "4.4B"]
    assert (table.groupby("size")["P"].nunique() == 4).all()
    fewer = figure_tables.residual_table(
        fits, {"pile": runs.iloc[:-1]}
    )  # a run short: five of its size are left
    assert fewer["size"].tolist() == table["size"].tolist()[:-1]


def test_the_largest_third_of_sizes_is_held_out_whatever_streams_add():
    rows = [(N * (1 + 0.06 * P * (P > 1)), P) for N in (1e5, 2e5, 4e5) for P in (1, 2, 4, 8)]
    runs = pd.DataFrame(rows, columns=["N", "P"])
    law = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.4)
    runs["loss"] = law.predict(N=runs["N"], P=runs["P"])
    table = figure_tables.backtest_table({"": scaling.fit(scaling.ParallelLaw, runs)}, {"": runs})
    held = table[(table["split"] == "without the largest N") & table["held_out"]]
    assert held["N"].tolist() == runs["N"].tolist()[-4:]


def test_backtests_have_the_published_quality(published):
    runs = {c: published.corpus(c) for c in ("stack-v2-python", "pile")}
    fits = {c: scaling.fit(scaling.ParallelLaw, rows) for c, rows in runs.items()}
    table = figure_tables.backtest_table(fits, runs)
    held = table[table["held_out"]]

    def r2(rows):
        return 1 - (rows["error"] ** 2).sum() / ((rows["loss"] - rows["loss"].mean()) ** 2).sum()

    quality = {key: round(r2(rows), 3) for key, rows in held.groupby(["corpus", "split"])}
    assert quality["pile", "without the largest P"] == pytest.approx(0.997, abs=0.001)
    assert quality["stack-v2-python", "without the largest P"] == pytest.approx(0.996, abs=0.001)
    assert quality["pile", "without the largest N"] == pytest.approx(0.94, abs=0.005)
    assert quality["stack-v2-python", "without the largest N"] == pytest.approx(0.75, abs=0.005)
    assert (held.loc[held["split"] == "without the largest N", "error"] > 0).all()
