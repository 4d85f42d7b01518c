"""What streams gained at each size, against runs whose gains are known."""

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis import figures
from analysis.report import sweep_figures, sweep_report
from analysis.report.gains_text import gains_text, seed_scatter_text
from analysis.sweep import results
from scaling import DenseLaw, LeastSquares
from scaling.selection.paired_gains import (
    gains,
    mean_change,
    needed_k,
    noise_over_seeds,
    one_stream_fits,
    paired,
    pairs,
    worth,
)

LAW = DenseLaw(E=1.5, A=2e5, alpha=0.3)
GAIN = {2: -0.01, 4: -0.03}


def made(seeds: int = 3, noise: float = 0.0, apart: float = 0.0) -> pd.DataFrame:
    """Four sizes, P in {1, 2, 4}; `apart` moves a seed's runs together, `noise` each on its own."""
    rng = np.random.default_rng(0)
    rows = []
    for width in (32, 64, 96, 128):
        for seed in range(seeds):
            together = apart * rng.standard_normal()
            for P in (1, 2, 4):
                N = 20.0 * width**2 * (1 + 0.05 * np.log2(P))
                loss = LAW.predict(N=20.0 * width**2) + GAIN.get(P, 0.0) + together
                rows.append(("made", f"{width}x2", N, P, seed, loss + noise * rng.standard_normal(), "ok"))
    return pd.DataFrame(rows, columns=["corpus", "size", "N", "P", "seed", "loss", "status"])


def test_a_change_at_equal_seed_is_free_of_what_seeds_share() -> None:
    runs = made(apart=0.05)
    table = gains(runs)
    assert len(paired(runs)) == 24
    assert len(table) == 8
    assert (table["seeds"] == 3).all()
    for P, gain in GAIN.items():
        assert table[table["P"] == P]["change"].to_numpy() == pytest.approx(gain, abs=1e-12)
    assert table["spread"].to_numpy() == pytest.approx(0, abs=1e-12)


def test_the_parameters_that_streams_bring_are_priced_by_the_runs_of_one() -> None:
    runs = made()
    (one,) = one_stream_fits(runs).values()
    assert one.law.predict(N=5e5) == pytest.approx(LAW.predict(N=5e5), rel=1e-4)
    row = gains(runs).iloc[1]  # the smallest size at P = 4
    expected = LAW.predict(N=20.0 * 32**2 * 1.1) - LAW.predict(N=20.0 * 32**2)
    assert (row["P"], row["by_parameters"]) == (4, pytest.approx(expected, rel=1e-2))


def test_k_is_that_of_the_law_where_it_holds_and_moves_where_it_does_not() -> None:
    runs = made()
    law = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.4)
    held = runs.assign(loss=law.predict(N=runs["N"], P=runs["P"]))
    assert gains(held)["k"].to_numpy() == pytest.approx(0.4, rel=1e-3)
    flat = gains(runs).groupby("size")["k"].agg(["first", "last"])  # the loss falls by as much at every size
    assert np.ptp(flat["first"]) > 0.02
    (one,) = one_stream_fits(runs).values()
    below = paired(runs).assign(change=-2.0)
    assert needed_k(one, below[below["P"] == 2]) == np.inf
    assert np.isnan(gains(runs[runs["size"] == "32x2"])["k"]).all()


def test_the_interval_over_seeds_is_students() -> None:
    table = gains(made(noise=0.01))
    half = (table["high"] - table["low"]) / 2
    assert half.to_numpy() == pytest.approx(4.3027 / np.sqrt(3) * table["spread"].to_numpy(), rel=1e-3)
    assert ((table["low"] + table["high"]) / 2).to_numpy() == pytest.approx(table["change"].to_numpy())


@pytest.mark.parametrize("seeds", [2, 4])
def test_the_interval_over_seeds_covers(seeds) -> None:
    rng, held = np.random.default_rng(seeds), []
    for _ in range(1000):
        one, four = 0.01 * rng.standard_normal((2, seeds))
        rows = {
            "corpus": "x",
            "size": "s",
            "D": 1.0,
            "N_one": 1.0,
            "P": 4,
            "N": 1.2,
            "change": four - one - 0.02,
        }
        found = mean_change(pd.DataFrame(rows), 0.95)
        held.append(found["low"] <= -0.02 <= found["high"])
    assert 0.93 <= np.mean(held) <= 0.97  # standard error 0.007


def test_seeds_scatter_less_in_a_change_than_in_a_run() -> None:
    (row,) = noise_over_seeds(made(seeds=40, noise=0.01, apart=0.05)).to_dict("records")
    assert row["of_a_run"] == pytest.approx(np.hypot(0.05, 0.01), rel=0.2)
    assert row["of_a_change"] == pytest.approx(0.01 * np.sqrt(2), rel=0.1)
    assert row["pairs"] == 8 * 39
    assert "degrees of freedom" in seed_scatter_text(row)


def test_two_sizes_price_no_parameters() -> None:
    runs = made()
    few = runs[runs["size"].isin(["32x2", "64x2"])]
    assert one_stream_fits(few) == {}
    assert gains(few)["by_parameters"].isna().all()


def test_one_seed_says_so() -> None:
    runs = made(seeds=1)
    assert gains(runs)[["low", "high", "spread"]].isna().all().all()
    (row,) = noise_over_seeds(runs).to_dict("records")
    assert "one seed" in seed_scatter_text(row)


def test_diverged_runs_and_runs_without_a_partner_are_left_out() -> None:
    runs = made(seeds=1)
    runs.loc[(runs["size"] == "32x2") & (runs["P"] == 1), "status"] = "diverged"
    assert set(gains(runs)["size"]) == {"64x2", "96x2", "128x2"}
    assert len(gains(runs.drop(columns="size"))) == 0


def test_the_figure_shows_what_was_measured_and_what_was_promised(tmp_path) -> None:
    runs = made(noise=0.005)
    table = gains(runs)
    laws = {corpus: one.law for corpus, one in one_stream_fits(runs).items()}
    figure = figures.gains(table, laws)
    assert [axes.get_title() for axes in figure.axes] == ["$P = 2$", "$P = 4$"]
    drawn = figure.axes[1].containers[0].lines[0].get_ydata()
    assert drawn == pytest.approx(table[table["P"] == 4]["change"].to_numpy())
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        "the paper's $k$, 0.33 to 0.39",
        "added $N$ alone",
        "measured, 95% over seeds",
    ]
    runs.to_csv(tmp_path / "runs.csv", index=False)
    assert "gains" in sweep_figures.sweep_figures(results.read_sweep(tmp_path / "runs.csv"))
    page = sweep_report.write_report(tmp_path / "runs.csv").read_text()
    assert "What streams gained at each size" in page
    assert "for a change at equal seed" in page


def test_an_interval_of_two_seeds_does_not_set_the_scale() -> None:
    table = gains(made(noise=0.005)).table
    table["low"], table["high"] = table["change"] - 50.0, table["change"] + 50.0
    for axes in figures.gains(table, {}).axes:
        low, high = axes.get_ylim()
        assert low < table["change"].min()
        assert high > table["change"].max()
        assert high - low < 10 * np.abs(table["change"]).max()


def test_the_legend_says_what_stands_against_the_law_behind_it(tmp_path) -> None:
    def labels(bend: float) -> list[str]:
        runs = made(seeds=1).assign(loss=lambda t: 4 + (2e5 / t["N"]) ** 0.3 - bend * np.log(t["N"]) ** 2)
        runs.to_csv(tmp_path / "runs.csv", index=False)
        figure = sweep_figures.sweep_figures(results.read_sweep(tmp_path / "runs.csv"))["gains"]()
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert "added $N$ alone" in labels(0.0)
    assert "added $N$ alone (law of $P = 1$ at bound)" in labels(0.02)  # falls ever faster: no E above 0


def test_the_legend_is_whole_where_a_corpus_lacks_a_p() -> None:
    runs = made(seeds=1)
    both = pd.concat([runs[runs["P"] != 2], runs.assign(corpus="other")])
    laws = {corpus: one.law for corpus, one in one_stream_fits(both).items()}
    labels = [text.get_text() for text in figures.gains(gains(both), laws).legends[0].get_texts()]
    assert set(labels) == {"the paper's $k$, 0.33 to 0.39", "added $N$ alone", "measured"}


def test_token_budgets_are_no_seeds() -> None:
    runs = made(seeds=1)
    longer = runs.assign(D=4e6, loss=runs["loss"] - 0.3 * (runs["P"] > 1))
    table = gains(pd.concat([runs.assign(D=1e6), longer], ignore_index=True))
    assert (table["seeds"] == 1).all()
    by_D = table.pivot_table(index=["size", "P"], columns="D", values="change")
    assert (by_D[1e6] - by_D[4e6]).to_numpy() == pytest.approx(0.3)
    assert " D " in gains_text(table).splitlines()[0]


def test_what_parameters_are_worth_has_the_profile_interval() -> None:
    runs = made(noise=0.004)
    (one,) = one_stream_fits(runs).values()
    row = gains(runs).iloc[-1]
    assert row["by_low"] < row["by_parameters"] < row["by_high"]
    draws = scaling.Bootstrap(400).draws(one, 400)
    spread = np.std(draws.predict(N=np.array([[row["N"]]])) - draws.predict(N=np.array([[row["N_one"]]])))
    assert row["by_high"] - row["by_low"] == pytest.approx(4 * spread, rel=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.005, 0.04])
def test_what_parameters_are_worth_is_covered_at_six_runs(sigma) -> None:
    sizes = np.array([24_864.0, 49_696, 139_072, 139_072, 231_744, 407_136])  # two seeds of one
    pair = pd.DataFrame({"N_one": [139_072.0], "N": [158_852.0]})
    truth, rng, held = DenseLaw(E=1.5, A=2e5, alpha=0.25), np.random.default_rng(1), []
    true = truth.predict(N=158_852.0) - truth.predict(N=139_072.0)
    for _ in range(300):
        loss = truth.predict(N=sizes) + sigma * rng.standard_normal(6)
        _, low, high = worth(scaling.fit(DenseLaw, {"N": sizes, "loss": loss}, LeastSquares()), pair, 0.95)
        held.append(low <= true <= high)
    assert 0.92 <= np.mean(held) <= 0.98  # standard error 0.013


def test_each_seed_is_a_dot_beside_the_mean_of_several():
    runs = made(seeds=3, noise=0.01)
    found = pairs(runs)
    assert len(found) == 24  # four sizes, three seeds, P = 2 and 4
    two, _ = figures.gains(gains(runs), {}, pairs=found).axes
    (dots,) = (line for line in two.lines if line.get_label() == "one seed")
    assert sorted(dots.get_ydata()) == pytest.approx(sorted(found[found["P"] == 2]["change"]))
    single = made(seeds=1)
    alone, _ = figures.gains(gains(single), {}, pairs=pairs(single)).axes
    assert not any(line.get_label() == "one seed" for line in alone.lines)


def test_changes_of_two_budgets_of_tokens_are_pairs_of_their_own():
    runs = pd.concat([made(seeds=1).assign(D=1e6), made(seeds=1).assign(D=2e6)])
    assert pairs(runs)["D"].value_counts().to_dict() == {1e6: 8, 2e6: 8}
