"""What training costs, with and without gradient checkpointing."""

import pytest

from analysis.costs.shapes import shape_of
from analysis.costs.training_cost import training_cost, training_costs
from scaling.accounting import training_flops


def test_training_cost_with_and_without_checkpointing(architectures):
    shape = shape_of("0.7B", architectures).accounting()
    plain, kept = (training_cost(shape, D=3e9, batch=3, checkpointing=c) for c in (False, True))
    assert plain.flops == training_flops(shape, 3e9, 2048)
    assert kept.flops == pytest.approx(plain.flops * 4 / 3)
    assert kept.memory_bytes < plain.memory_bytes
    assert plain.seconds == pytest.approx(plain.flops / (312e12 * 0.7))
    costs = training_costs(shape, D=3e9, batch=3, devices=4)
    assert [(c.P, c.checkpointing) for c in costs] == [(P, c) for P in (1, 2, 4, 8) for c in (False, True)]
    with pytest.raises(ValueError, match=r"devices.*0"):
        training_cost(shape, D=3e9, batch=3, devices=0)
    with pytest.raises(ValueError, match="Hardware"):
        training_cost(shape, D=3e9, batch=3, hardware="A100")
