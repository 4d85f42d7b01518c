"""Minima along a searched setting: exact for an exact curve, and the coverage of their intervals."""

import numpy as np
import pandas as pd
import pytest

from scaling.allocation.searched_minimum import SKEW, SKEW_WIDTH, curve_along, searched_minima
from scaling.allocation.tuned_optimum import tuned_optimum

FACTOR = 1.93


def search(generator, cells, values, noise, seeds=1, skew=None):
    """A table of a search at some sizes, and the true minimum of each."""
    rows, true = [], {}
    for cell in range(cells):
        minimum = np.exp(generator.uniform(-0.5, 0.5))
        bent = generator.normal(SKEW, SKEW_WIDTH) if skew is None else skew
        true[f"s{cell}"] = minimum
        near = round(np.log(minimum) / np.log(FACTOR))
        for place in range(near - values // 2, near - values // 2 + values):
            v = place * np.log(FACTOR) - np.log(minimum)
            curve = 3 + 0.03 * (v * v + bent * v**3)
            rows += [
                {"size": f"s{cell}", "P": 1, "D": 1e6, "lr": FACTOR**place, "seed": seed, "searched": "lr", "status": "ok",
                 "loss": curve + noise * generator.normal()} for seed in range(seeds)
            ]  # fmt: skip
    return pd.DataFrame(rows), true


def test_the_minimum_of_an_exact_curve_is_found():
    table, true = search(np.random.default_rng(1), 3, 5, noise=0.0, skew=SKEW)
    found = searched_minima(table)
    assert found["estimate"].tolist() == pytest.approx(list(true.values()), rel=1e-6)
    assert found["loss"].tolist() == pytest.approx([3.0] * 3)
    assert (found["upper"] / found["lower"] < 1.001).all()
    first = table[table["size"] == "s0"]
    assert curve_along(found.iloc[0], first["lr"].to_numpy()) == pytest.approx(first["loss"].to_numpy())


def test_the_law_of_searched_minima_is_found_from_the_runs_that_came_to_their_end():
    """Minima follow N^-0.5; the best run alone would say whole steps of the search."""
    rng, parts = np.random.default_rng(3), []
    for cell, N in enumerate((1e6, 4e6, 1.6e7, 6.4e7)):
        table, true = search(rng, 1, 5, noise=0.0, skew=SKEW)
        parts.append(table.assign(size=f"s{cell}", N=N, lr=table["lr"] / true["s0"] * N**-0.5))
    runs = pd.concat(parts, ignore_index=True)
    found = tuned_optimum(runs)
    assert found.settings == ("lr",)
    assert found.table.loc[("lr", "N"), "estimate"] == pytest.approx(-0.5, abs=1e-6)
    assert found.at(N=1e9).loc["lr", "estimate"] == pytest.approx(1e9**-0.5, rel=1e-5)
    one = tuned_optimum(runs[runs["size"] == "s0"])  # a single size: its minimum, no law
    assert one.table.empty
    assert one.cells["lr"].item() == pytest.approx(1e-3, rel=1e-6)
    edge = runs[(runs["size"] != "s1") | (runs["lr"] <= 4e6**-0.5)]
    assert tuned_optimum(edge).cells.set_index("N")["used"].to_dict()[4e6] == np.False_


def test_what_tells_no_minimum_says_so():
    table, _ = search(np.random.default_rng(2), 1, 5, 0.0, skew=0.0)
    flipped = searched_minima(table.assign(loss=-table["loss"])).iloc[0]
    assert np.isnan(flipped["estimate"])
    assert searched_minima(table[:2]).iloc[0]["note"]
    three = searched_minima(table[1:4]).iloc[0]
    assert np.isfinite(three["estimate"])
    assert np.isnan(three["lower"])
    assert (
        "edge"
        in searched_minima(table[table["lr"] <= table.loc[table["loss"].idxmin(), "lr"]]).iloc[0]["note"]
    )
    assert searched_minima(table.drop(columns="searched")).empty
    ended = pd.concat([table, table.head(1).assign(loss=np.nan, status="stopped", lr=1e-9)])
    assert searched_minima(ended)["estimate"].tolist() == searched_minima(table)["estimate"].tolist()


@pytest.mark.parametrize("useless", [(7.2,), (7.2, 8.0), (6.3,)])
def test_values_above_a_guess_do_not_bend_the_curve(useless):
    """Of a vocabulary of 512 a guess costs 6.24 nats. With such a value the losses near the best bend downwards."""
    losses = [3.9, 3.85, 3.95, *useless]
    lr = 0.01 * 4.0 ** np.arange(len(losses))
    runs = pd.DataFrame(
        {"size": "s0", "P": 1, "D": 1e6, "lr": lr, "searched": "lr", "vocab": 512, "loss": losses}
    )
    found, alone = (searched_minima(part).iloc[0] for part in (runs, runs[:3]))
    assert 0.01 < found["estimate"] == pytest.approx(alone["estimate"], rel=1e-12)
    assert (found["runs"], found["left_out"], found["note"]) == (3, len(useless), "")
    blind = searched_minima(runs.drop(columns="vocab")).iloc[0]
    assert np.isnan(blind["estimate"])
    assert blind["left_out"] == 0


def test_a_value_of_which_one_seed_failed_is_left_out_whole_and_all_stay_where_none_learnt():
    table, _ = search(np.random.default_rng(4), 1, 5, noise=0.002, seeds=2)
    table = table.assign(vocab=512)
    failed = table.assign(loss=table["loss"].where(table.index != 9, 9.0))
    assert searched_minima(failed)["left_out"].tolist() == [2]
    assert searched_minima(failed)["high"].tolist() == pytest.approx([table["lr"][7]])
    assert searched_minima(table.assign(loss=table["loss"] + 10))["left_out"].tolist() == [0]


def test_words_and_zeros_are_settings_without_a_curve():
    table, _ = search(np.random.default_rng(2), 1, 5, 0.0, skew=SKEW)
    worse = table.assign(schedule="linear", weight_decay=0.1, loss=table["loss"] + 1)
    both = pd.concat([table.assign(schedule="cosine", weight_decay=0.0), worse])
    found = searched_minima(both.assign(searched="lr,schedule,weight_decay"))
    assert found["setting"].tolist() == ["lr"]
    assert found["estimate"].tolist() == searched_minima(table)["estimate"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("cells", "values", "seeds"), [(3, 5, 1), (1, 4, 2)])
def test_intervals_hold_the_true_minimum_at_least_as_often_as_they_say(cells, values, seeds):
    generator, held = np.random.default_rng(0), []
    for _ in range(105 // cells):
        table, true = search(generator, cells, values, noise=0.002, seeds=seeds)
        found = searched_minima(table).dropna(subset="lower")
        truth = found["size"].map(true).astype(float)
        held += list((found["lower"] <= truth) & (truth <= found["upper"]))
    assert np.mean(held) > 0.93
