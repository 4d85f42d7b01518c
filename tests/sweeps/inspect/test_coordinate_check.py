"""The coordinate check: with muP activations move by the same amount at every width, without it more at larger widths."""

from dataclasses import replace

import pytest

from sweeps.grids.grids import Axes, find
from sweeps.inspect.coordinate_check import WITH, WITHOUT, coordinate_table, growth

AXES = Axes(sizes=("32x2", "64x2", "128x2"), streams=(2,), mup_base=32)


@pytest.mark.parametrize(
    ("optimizer", "tied"), [("muon", True), pytest.param("adamw", False, marks=pytest.mark.slow)]
)
def test_changes_are_flat_in_the_width_with_a_transfer_and_not_without(one_thread, optimizer, tied):
    runs = [replace(run, optimizer=optimizer, lr=3e-3) for run in find("ci")(AXES)]
    runs = [replace(run, model=replace(run.model, tied_embeddings=tied, vocab=64)) for run in runs]
    found = growth(coordinate_table(runs, steps=3, seeds=1)).set_index(["kind", "activation"])["exponent"]
    assert found[WITH].drop("logits").abs().max() < 0.06
    assert found[WITH]["logits"] < 0.1  # they begin as noise of 1 / sqrt(width), which learning takes over
    assert found[WITHOUT][["block 1", "block 2"]].min() > 0.3


def test_one_width_tells_nothing():
    with pytest.raises(ValueError, match="mup_base"):
        coordinate_table(find("ci")(replace(AXES, sizes=("32x2",))))
