"""Axes narrow a grid and override its values."""

from sweeps.grids.grids import Axes, find


def test_axes_narrow_and_override():
    runs = find("demo")(Axes(sizes=["64x5"], streams=[3], seeds=[7, 8], tokens=10_000, corpora=["code"]))
    assert [(r.size, r.model.P, r.seed, r.corpus) for r in runs] == [
        ("64x5", 3, 7, "code"),
        ("64x5", 3, 8, "code"),
    ]
    assert runs[0].model.layers == 5
    assert abs(runs[0].D - 10_000) < 600
