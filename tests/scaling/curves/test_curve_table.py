"""Tables of curves: read by run, and what is wrong with them named."""

import re

import numpy as np
import pandas as pd
import pytest

from scaling.curves.curve_table import curves_of

STEPS = np.arange(100, 2100, 100)


def table(**changes):
    made = pd.DataFrame({"run": "a", "step": STEPS, "lr": 0.01, "loss": 4 - np.log(STEPS) / 5})
    return made.assign(**changes)


def test_runs_are_told_apart_and_their_warmup_is_known():
    both = pd.concat([table(), table(run="b", lr=np.minimum(0.01, STEPS / 5e4))])
    found = curves_of(both)
    assert list(found) == ["a", "b"]
    assert found["b"].after_warmup().steps[0] == 500
    few = found["a"].condensed(5)
    assert few.counts.sum() == 20
    assert np.average(few.losses, weights=few.counts) == pytest.approx(found["a"].losses.mean())


def test_rows_without_a_loss_still_tell_the_learning_rate():
    sparse = table(lr=np.where(STEPS < 1000, 0.01, 0.001), val_loss=np.where(STEPS % 500, np.nan, 3.0))
    curve = curves_of(sparse, loss="val_loss")["a"]
    assert list(curve.steps) == [500, 1000, 1500, 2000]
    assert curve.schedule.rate([900, 1000]) == pytest.approx([0.01, 0.001])


def test_a_restart_keeps_the_later_rows_and_is_named():
    again = pd.concat([table(), table(loss=1.5)[10:]])
    curve = curves_of(again)["a"]
    assert curve.losses[-1] == 1.5
    assert "1100" in curve.notes[0]


def test_steps_out_of_order_are_sorted_and_named():
    curve = curves_of(table().sample(frac=1, random_state=1))["a"]
    assert (np.diff(curve.steps) > 0).all()
    assert re.search(r"step \d+.*step \d+", curve.notes[0])


def test_a_gap_is_named_with_what_is_assumed_in_it():
    holed = table(lr=np.where(STEPS < 1000, 0.01, 0.001))
    curve = curves_of(holed[(STEPS < 600) | (STEPS > 1600)])["a"]
    assert re.search(r"500.*1700", curve.notes[0])
    assert re.search(r"0\.01\b.*0\.001", curve.notes[0])


@pytest.mark.parametrize("loss", [np.where(STEPS > 1500, np.inf, 3.0), np.where(STEPS > 1500, 9.0, 3.0)])
def test_a_run_that_diverged_is_left_out_and_named(loss):
    with pytest.raises(ValueError, match="a diverged"):
        curves_of(table(loss=loss))
    assert "b diverged" in curves_of(pd.concat([table(), table(run="b", loss=loss)]))["a"].notes[0]


@pytest.mark.parametrize(("wrong", "word"), [
    ({"lr": -1.0}, "lr"), ({"lr": "fast"}, "lr"), ({"loss": -3.0}, "loss.*-3"), ({"step": "ten"}, "step"),
    ({"loss": np.nan}, "0 checkpoints"),
    ({"lr": np.where(STEPS > 500, np.nan, 0.01)}, "row 6"),
])  # fmt: skip
def test_values_that_are_none_are_refused(wrong, word):
    with pytest.raises(ValueError, match=word):
        curves_of(table(**wrong))


def test_missing_columns_and_two_rates_at_a_step_are_refused():
    with pytest.raises(ValueError, match="'lr'"):
        curves_of(table().drop(columns="lr"))
    with pytest.raises(ValueError, match="rows"):
        curves_of(table()[:0])
    with pytest.raises(ValueError, match=r"step \d+"):
        curves_of(pd.concat([table(), table(lr=0.02)]))
