"""The figures of the paper's numbers: all there, and drawn from the fits given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import scaling
from analysis.paper.paper_figures import CAPTIONS, RIVALS, _equivalent_curves, figure_set
from analysis.paper.published_numbers import PILE, STACK, read_published
from analysis.paper.refit import Inputs
from tests.analysis.conftest import PUBLISHED


@pytest.fixture(scope="module")
def inputs():
    given = read_published(PUBLISHED)
    fits = {(c, "parallel"): scaling.fit("parallel", given.corpus(c)) for c in (STACK, PILE)}
    rivals = {(STACK, law): scaling.fit(law, given.corpus(STACK)) for law in RIVALS.values()}
    return Inputs(given, rivals | fits)


@pytest.fixture(scope="module")
def known(inputs):
    return figure_set(inputs)


@pytest.mark.slow
def test_every_figure_has_its_words_in_their_order(known):
    assert list(known) == list(CAPTIONS)
    assert len(set(CAPTIONS.values())) == len(CAPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fig1_2", "fig1_3", "fig4", "fig6c", "intervals", "rivals", "ratio_memory"])
def test_a_figure_is_drawn_when_it_is_asked_for(known, name):
    figure = known[name]()
    assert isinstance(figure, Figure)
    assert all(axes.has_data() for axes in figure.axes)


def test_the_two_ratio_maps_draw_two_quantities(known):
    drawn = [
        known[name]().axes[0].get_images() + known[name]().axes[0].collections
        for name in ("ratio_latency", "ratio_memory")
    ]
    one, other = (np.asarray(found[0].get_array()).ravel() for found in drawn)
    assert one.shape == other.shape
    assert not np.allclose(one, other)


def test_curves_of_equivalents_reach_64_streams_at_the_size_of_the_paper(inputs):
    curves, points = _equivalent_curves(inputs)
    assert list(curves) == list(points) == [STACK, PILE]
    for corpus, curve in curves.items():
        assert set(2.0 ** np.arange(7)) <= set(curve["P"].round(9))
        assert set(curve["N"]) == {1571472384.0}
        k = inputs.laws[corpus].k
        np.testing.assert_allclose(curve["multiple"], 1 + k * np.log(curve["P"]))
        assert points[corpus]["P"].min() == 2
