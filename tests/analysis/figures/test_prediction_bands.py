"""Bands: drawn where ends are known, through the ends that were searched, paler beyond the runs."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.figures.prediction_bands import DENSE, Line, draw_bands


def band_of(calls, known=True):
    def band(*, N, P):
        calls.append(P)
        half = np.where(P > 8, 0.2, 0.1) if known else np.full(len(P), np.nan)
        return pd.DataFrame({"new_lower": 3 - half, "new_upper": 3 + half * P**0.5})

    return band


def drawn(band, parts):
    axes = Figure().subplots()
    draw_bands(band, [Line(axes, {"N": 1e9}, "P", parts, "red")])
    return axes


def test_few_points_are_asked_and_the_band_goes_through_them_and_jumps_at_the_edge():
    calls, parts = [], (np.array([1.0, 2.0, 4.0, 8.0]), np.array([8.4, 64.0]))
    axes = drawn(band_of(calls), parts)
    assert [len(P) for P in calls] == [6]
    inside, outside = (
        c for c in axes.collections if len(c.get_paths()) and len(c.get_paths()[0].vertices) > 9
    )
    assert inside.get_alpha() > outside.get_alpha()
    for ends, ground, step in (((1, 8), inside, 0.1), ((64,), outside, 0.2)):
        x, y = ground.get_paths()[0].vertices.T
        for P in ends:
            assert y[np.isclose(x, P)].max() == pytest.approx(3 + step * P**0.5)
    assert len(inside.get_paths()[0].vertices) > 2 * DENSE


def test_without_ends_nothing_is_drawn_and_one_place_is_enough():
    assert not drawn(band_of([], known=False), (np.ones(1), np.full(2, 9.0))).collections
    assert drawn(band_of([]), (np.ones(3), np.full(2, 9.0))).collections
