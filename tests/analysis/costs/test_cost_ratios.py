"""What P streams cost relative to a larger model of equal loss."""

import pytest

from analysis.costs.cost_ratios import break_even, cost_ratio, headline_ratios, ratio_grid


def test_headline_ratios_under_both_interpolations(stack, architectures):
    table = headline_ratios(stack, architectures).set_index(["quantity", "batches"])
    expected = {
        ("memory", "1"): (22.5, 21.7, 1),
        ("latency", "1"): (6.4, 6.2, 1),
        ("memory", "1, 2, 4, 8"): (7.3, 7.1, 1),
        ("latency", "1, 2, 4, 8"): (1.77, 1.70, 2),
    }
    for key, (linear, log, digits) in expected.items():
        assert round(table.loc[key, "linear"], digits) == linear
        assert round(table.loc[key, "log_cost"], digits) == log


def test_where_the_headlines_fail(stack, architectures):
    at_8 = [cost_ratio(stack, architectures, batches=(8,), log_cost=log).latency for log in (True, False)]
    assert [round(r, 2) for r in at_8] == [0.84, 0.88]
    grid = ratio_grid(stack, architectures, batches=(1, 8), lengths=(64, 512), streams=(2, 8))
    memory = grid.set_index(["P", "batch", "length"])["memory_ratio"]
    assert round(memory[8, 1, 64]) == 40
    assert round(memory[8, 1, 512], 1) == 13.5
    assert len(grid) == 8
    failing = break_even(grid).set_index(["P", "length"])["first_failing_batch"]
    assert failing[8, 512] == 8
    assert failing.isna()[2, 64]
    p2 = cost_ratio(stack, architectures, P=2)
    assert (round(p2.memory), round(p2.latency)) == (34, 16)


def test_a_loss_beyond_the_one_stream_points_is_refused(stack, architectures):
    with pytest.raises(ValueError, match=r"4\.4B.*P=8.*0\.9794"):
        cost_ratio(stack, architectures, size="4.4B")
    with pytest.raises(ValueError, match=r"'9B'.*P=8.*0"):
        cost_ratio(stack, architectures, size="9B")
