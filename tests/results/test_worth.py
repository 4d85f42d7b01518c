"""The grid that compares a stream with a loop, an expert and a layer: its arms are equal where they claim to be."""

import pytest

from results.grids import worth
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find


@pytest.fixture(scope="module")
def runs():
    return find("results/grids/worth.py")()


def test_arms_are_equal_where_they_say_so(runs):
    plain = {(run.size, run.model.P): run.model for run in runs}
    for size in worth.SIZES:
        alone, four = plain[size, 1], plain[size, 4]
        params, compute = plain[f"{size}params", 1], plain[f"{size}compute", 1]
        assert pytest.approx(four.N, rel=0.005) == params.N
        assert compute.forward_flops(64) == pytest.approx(four.forward_flops(64), rel=0.005)
        for r in (2, 4):
            assert plain[f"{size}r{r}", 1].N == alone.N
            assert plain[f"{size}r{r}", 1].loops == r
        assert plain[f"{size}prefix", 1].K == four.K > alone.K == 0
        assert plain[f"{size}e4", 1].forward_flops(64) == pytest.approx(alone.forward_flops(64), rel=0.02)


def test_the_grid_spans_sixteenfold_with_equal_tokens(runs):
    base = sorted(run.model.N for run in runs if run.size in worth.SIZES and run.model.P == 1)
    assert base[-1] / base[0] > 16
    assert {(run.D, run.batch, run.seq_len) for run in runs} == {(500_224, 8, 64)}
    assert len({run.run_id for run in runs}) == len(runs) == 4 * 10 * 2 * 3
    assert len({(run.corpus, run.size, run.model.P, run.seed) for run in runs}) == len(runs)


def test_rates_are_searched_arm_by_arm():
    axes = Axes(sizes=("64x2r4",), streams=(1,), seeds=(0,), corpora=(worth.MEMORY,))
    rates = [find(f"results/grids/worth.py:{name}")(axes)[0].muon_lr for name in ("half", "grid", "double")]
    assert rates == pytest.approx([rates[1] / 2, rates[1], rates[1] * 2])
