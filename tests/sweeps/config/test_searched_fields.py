"""Fields as axes: read, refused, applied with D kept, and found again in the runs."""

from dataclasses import replace

import pytest

from sweeps.config.searched_fields import at, read_axis, searched_fields, with_value
from sweeps.grids.grids import Axes, find

RUNS = find("ci")(Axes(streams=(1, 2)))


def test_values_are_of_their_field_s_type():
    assert read_axis("lr=1e-3, 3e-3") == ("lr", [0.001, 0.003])
    assert read_axis("batch=8,16") == ("batch", [8, 16])
    assert read_axis("prefix_std=none,0.5") == ("prefix_std", [None, 0.5])
    assert read_axis("qk_norm=true,false") == ("qk_norm", [True, False])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speed=1", "--axis.*speed.*aggregation_std"),
        ("parent=x", "--axis.*parent"),
        ("seed=1,2", "--axis.*seed.*--seeds"),
        ("accumulate=1,2", "--axis.*accumulate"),
        ("lr=fast", "--axis.*lr=fast"),
        ("lr", "FIELD=VALUE"),
        ("lr=1e-3,0.001", "--axis.*lr=1e-3,0.001"),
    ],
)
def test_what_is_no_axis_is_named(text, says):
    with pytest.raises(ValueError, match=says):
        read_axis(text)


def test_a_grid_has_every_value_and_its_runs_tell_which_fields_were_searched():
    runs = find("ci")(Axes(streams=(1, 2), others={"lr": [1e-3, 2e-3], "prefix_tokens": [4, 8]}))
    assert len(runs) == 4 * len(RUNS)
    assert searched_fields(runs) == ["lr", "prefix_tokens"]
    assert at(runs[0], ["lr", "prefix_tokens"]) == "lr 0.001, prefix_tokens 4"
    assert searched_fields([*RUNS, *(replace(run, steps=9, eval_batch=4) for run in RUNS)]) == []
    stages = find("ci")(Axes(streams=(2,), recipe="two-stage", others={"lr": [1e-3, 2e-3]}))
    assert searched_fields(stages) == ["lr"]
    assert {run.lr for run in stages if run.parent} == {1e-3, 2e-3}


def test_another_batch_keeps_the_tokens():
    more = with_value(RUNS[0], "batch", 2 * RUNS[0].batch)
    assert pytest.approx(RUNS[0].D, abs=more.batch_tokens) == more.D
