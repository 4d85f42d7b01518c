"""The page's axes and grids: how far they go, that nodes fall where the runs end, and reading between nodes."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis.explorer.page_axes import PageAxis, PointGrid, node_weights, page_axes, read_between
from scaling.laws.axis import Axis, Levels


@pytest.fixture(scope="module")
def axes():
    runs = pd.DataFrame(
        {"N": [1e8, 4e8, 1e9], "P": [1, 2, 8], "share": [0.0, 0.2, 0.4], "optimiser": [1, 2, 1]}
    )

    class Own(scaling.Law):
        axes: ClassVar = ("N", "P", "share", "optimiser")
        axis_rules: ClassVar = {
            "share": Axis(lowest=0.0, reached=True, unit="of the data", more_is_better=None),
            "optimiser": Levels(names=("adam", "muon")),
        }

    return page_axes(runs, [Own])


def test_an_axis_goes_on_beyond_the_runs_as_far_as_it_may(axes):
    assert list(axes) == ["N", "P", "share", "optimiser"]
    assert [axes["N"].kind, axes["N"].least, axes["N"].most] == ["log", 1e8 / 4, 1e11]
    assert [axes["P"].kind, axes["P"].least, axes["P"].most, axes["P"].whole] == ["log", 1, 64, True]
    assert [axes["share"].kind, axes["share"].least, axes["share"].most] == ["linear", 0.0, 0.8]
    assert [axes["optimiser"].kind, axes["optimiser"].names] == ["levels", ("adam", "muon")]
    assert axes["share"].unit == "of the data"


def test_streams_of_one_value_that_no_law_knows_are_no_axis():
    runs = pd.DataFrame({"N": [1e8, 4e8], "P": [1, 1]})
    assert list(page_axes(runs, [scaling.DenseLaw])) == ["N"]
    assert list(page_axes(runs, [scaling.ParallelLaw])) == ["N", "P"]


def test_parts_meet_at_the_ends_of_the_runs_and_whole_axes_have_whole_nodes(axes):
    below, within, above = axes["N"].parts(3, 5, 4)
    assert np.exp(within[[0, -1]]) == pytest.approx([1e8, 1e9])
    assert 0 < within[0] - below[-1] < 1e-8
    assert 0 < above[0] - within[-1] < 1e-8
    assert np.exp([below[0], above[-1]]) == pytest.approx([axes["N"].least, axes["N"].most])
    streams, more = axes["P"].parts(3, 9, 5)
    assert np.exp(streams) == pytest.approx([1, 2, 3, 4, 5, 6, 8])
    assert np.exp(more[1:]) == pytest.approx(np.exp(more[1:]).round())
    assert PointGrid.in_one({"N": axes["N"]}, 3, 5, 4).shape(["N"]) == (2 + 5 + 3,)


def test_one_size_is_one_node():
    (axis,) = page_axes(pd.DataFrame({"N": [5e4, 5e4]}), [scaling.DenseLaw]).values()
    assert [len(part) for part in axis.parts(3, 5, 4)] == [3, 1, 4]


def test_points_run_along_the_last_axis_first(axes):
    grid = PointGrid.whole({name: axes[name] for name in ("P", "optimiser")}, 6)
    points = grid.points(("P", "optimiser"))
    assert points["optimiser"][:4].tolist() == [1, 2, 1, 2]
    assert points["P"][:3].tolist() == pytest.approx([1, 1, 2])
    assert grid.shape(("P", "optimiser")) == (len(grid.nodes("P")), 2)


def test_a_cubic_is_read_exactly_between_nodes_and_gaps_stay_open():
    nodes = np.array([0.0, 0.4, 1.0, 1.7, 2.0, 3.0])
    x = np.array([0.0, 0.3, 1.2, 2.9])
    assert node_weights(nodes, x, 4) @ nodes**3 == pytest.approx(x**3)
    axis = PageAxis("linear", "", 0, 3, 0, 3)
    few, fine = PointGrid({"s": axis}, {"s": (nodes,)}), PointGrid({"s": axis}, {"s": (x,)})
    assert read_between(nodes**3, few, fine) == pytest.approx(x**3)
    lost = np.where(nodes == 3.0, np.inf, nodes**3)
    assert np.isinf(read_between(lost, few, fine)).tolist() == [False, False, False, True]
