"""The rule of a search: which values go on, which pause, how the best is bracketed."""

import math
import random
from dataclasses import replace

import pytest

from sweeps.config.searched_fields import with_value
from sweeps.grids.grids import Axes, find
from sweeps.grids.search import Search, Trial, decide, read_rungs, read_search, recent_loss, worse_half

STEPS = 100
RUN = replace(find("ci")(Axes())[0], steps=STEPS)


def landscape(best, favour=0.0, diverges=math.inf):
    """(value, step) -> loss: a parabola in the logarithm of the value, in training about a value `favour` lower."""

    def loss(value, step):
        if value >= diverges:
            return math.inf
        away = math.log(value / best) + (favour if step < STEPS else 0.0)
        return 3.0 + 0.1 * away * away - 0.01 * step / STEPS

    return loss


def trained(search, loss, choose=lambda due: due):
    """Train what is due, as much of it as `choose` says, until the point is settled. Returns the trials and the decision."""
    done, order = {}, []
    while True:
        trials = [
            Trial(
                value,
                with_value(RUN, search.field, value),
                step,
                [(s, loss(value, s)) for s in range(1, step + 1)],
                loss(value, STEPS) if step == STEPS or (step and loss(value, step) == math.inf) else math.nan,
            )
            for value, step in sorted({**dict.fromkeys(search.values, 0), **done}.items())
        ]
        decision = decide(search, trials)
        if not decision.due:
            return decision, done
        part = choose(dict(decision.due))
        order += part.items()
        done |= part


SEARCH = read_search("lr=1e-3..1e-1")


def test_a_range_becomes_values_a_constant_factor_apart():
    assert SEARCH.field == "lr"
    assert SEARCH.values == (0.001, 0.00193, 0.00373, 0.0072, 0.0139, 0.0268, 0.0518, 0.1)
    assert read_search("muon_lr = 0.01..0.04:3").values == (0.01, 0.02, 0.04)
    for wrong in (
        "lr",
        "lr=1..",
        "lr=0..1",
        "lr=2..1",
        "lr=a..b",
        "lr=1..2:2",
        "steps=1..2",
        "batch=1..8",
        "x=1..2",
    ):
        with pytest.raises(ValueError, match=wrong.partition("=")[0]):
            read_search(wrong)
    assert read_rungs("0.1,0.5") == (0.1, 0.5)
    for wrong in ("0.5,0.1", "0", "1", "a", ""):
        with pytest.raises(ValueError, match="--rungs"):
            read_rungs(wrong)


def test_the_worse_half_loses_by_the_mean_over_the_last_steps():
    curves = {value: [(step, value + (step < 80)) for step in range(1, 101)] for value in (3.0, 1.0, 2.0)}
    assert recent_loss(curves[1.0]) == pytest.approx(1.0)
    assert worse_half(curves, 200) == {3.0}
    assert worse_half({1.0: [(1, math.nan)], 2.0: [(1, 9.0)]}, 2) == {1.0}


def test_losers_stop_at_their_rungs_and_the_best_has_a_worse_value_on_either_side():
    decision, done = trained(SEARCH, landscape(0.01))
    assert (decision.best, decision.bracketed) == (0.0072, True)
    assert done == dict(zip(SEARCH.values, [25] + [100] * 5 + [25, 25], strict=True))


def test_what_training_favours_too_low_is_made_good_at_the_end():
    decision, done = trained(SEARCH, landscape(0.03, favour=1.5))
    assert (decision.best, decision.bracketed) == (0.0268, True)
    assert done[0.0518] == STEPS


def test_the_range_grows_where_the_best_is_at_its_edge_but_not_without_end():
    decision, done = trained(SEARCH, landscape(0.25))
    assert (decision.best, decision.bracketed) == (0.193, True)
    assert [value for value in done if value > 0.1] == [0.193, 0.373, 0.72]
    far, done = trained(SEARCH, landscape(1e-9))
    assert not far.bracketed
    assert len(done) == len(SEARCH.values) + 4


def test_a_value_that_diverges_is_a_worse_neighbour_and_where_all_do_none_is_best():
    decision, done = trained(SEARCH, landscape(0.1, diverges=0.05))
    assert (decision.best, decision.bracketed) == (0.0268, True)
    assert 0.193 not in done
    assert done[0.0518] == done[0.1] == 25
    everywhere, done = trained(SEARCH, landscape(0.1, diverges=0.0))
    assert math.isnan(everywhere.best)
    assert set(done.values()) == {25}


def test_the_order_in_which_runs_come_to_their_steps_changes_nothing():
    expected = trained(SEARCH, landscape(0.04, favour=1.0))
    for seed in range(10):
        chance = random.Random(seed)

        def some(due, chance=chance):
            return dict(chance.sample(sorted(due.items()), chance.randint(1, len(due))))

        assert trained(SEARCH, landscape(0.04, favour=1.0), some) == expected


def test_a_rule_of_ones_own_decides_who_loses_but_not_how_few_are_left():
    seen = []

    def all_but_lowest(curves, steps):
        seen.append((steps, {len(curve) for curve in curves.values()}))
        return set(curves) - {min(curves)}

    search = Search("lr", SEARCH.values, (0.1,), losers=all_but_lowest, keep=2, around=1)
    decision, done = trained(search, landscape(1e-3))
    assert seen[0] == (STEPS, {10})
    assert decision.best == 1e-3
    assert done[SEARCH.values[3]] == 10


def test_values_without_hope_end_at_their_rung_and_count_as_worse_neighbours():
    def hopeless(curves, runs):
        assert {value: run.lr for value, run in runs.items()} == {value: value for value in curves}
        return {value: "far" for value in curves if not 0.005 < value < 0.02}

    search = replace(SEARCH, hopeless=hopeless)
    decision, done = trained(search, landscape(0.01))
    assert (decision.best, decision.bracketed) == (0.0072, True)
    assert done == {value: 100 if 0.005 < value < 0.02 else 25 for value in SEARCH.values}
    assert set(decision.hopeless) == {value for value, step in done.items() if step == 25}
    assert trained(search, landscape(0.01), lambda due: dict([min(due.items())])) == (decision, done)
