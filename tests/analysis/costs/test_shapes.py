"""Shapes of models: published, and in between at any P."""

import pytest

from analysis.costs.shapes import shape_of


def test_shapes_published_and_in_between(architectures):
    published = shape_of("1.6B", architectures)
    assert (published.width, published.ffn, published.N) == (1536, 8320, 1571472384)
    for row in architectures.itertuples():
        between = shape_of(row.nonembedding_params_P1)
        assert between.width == pytest.approx(row.hidden, rel=0.005)
        assert shape_of(row.nonembedding_params_P1, architectures).accounting().N == between.N
    for bad in (-3, "nan", 0.0):
        with pytest.raises(ValueError, match=f"{bad}"):
            shape_of(bad)


def test_a_shape_at_many_streams_has_the_size_asked_for():
    for N, P in ((1.6e9, 8), (5e8, 3), (2.8e9, 1)):
        whole = shape_of(N, P=P).accounting(P)
        assert pytest.approx(N, rel=0.02) == whole.N
        shape = shape_of(N, P=P)
        own = P * 2 * 48 * 2 * shape.width / 16 * 36 + P * shape.width**2 + (1 + P) * shape.width + P
        backbone = shape_of(N - (own if P > 1 else 0))
        assert backbone.width == pytest.approx(shape.width, rel=1e-9)
