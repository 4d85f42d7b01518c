"""Muon on stacked matrices is torch's Muon, faster."""

from copy import deepcopy
from functools import partial

import pytest

pytest.importorskip("torch")

import torch
from torch.optim import Muon

from sweeps.training import muon
from sweeps.training.muon import StackedMuon, orthogonal

SHAPES = [(8, 8), (24, 8), (8, 24), (8, 8), (24, 8), (8, 24), (8, 8), (1, 8)]
TORCHS = partial(Muon, adjust_lr_fn="match_rms_adamw")
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def matrices(dtype=torch.float32):
    made = torch.Generator().manual_seed(1)
    return [torch.nn.Parameter(torch.randn(shape, generator=made, dtype=dtype)) for shape in SHAPES]


def steps(kind, count=4, **changes):
    """Parameters and momenta after some steps. The last matrix gets its first gradient at the second step."""
    parameters, made = matrices(), torch.Generator().manual_seed(2)
    groups = [{"params": parameters[:3]}, {"params": parameters[3:], "lr": 0.05}]
    optimizer = kind(groups, lr=0.02, **changes)
    for step in range(count):
        for parameter in parameters:
            drawn = torch.randn(parameter.shape, generator=made)
            parameter.grad = None if step == 0 and parameter is parameters[-1] else drawn
        optimizer.step()
    return parameters, optimizer


@pytest.mark.parametrize("at_once", [1, 400, 1 << 22])
@pytest.mark.parametrize("nesterov", [True, False])
def test_its_steps_are_those_of_torch(at_once, nesterov, monkeypatch):
    monkeypatch.setattr(muon, "STACK_ELEMENTS", at_once)
    ours, mine = steps(StackedMuon, nesterov=nesterov)
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())  # torch's in float32 too
    theirs, other = steps(TORCHS, nesterov=nesterov)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            mine.state[a]["momentum_buffer"], other.state[b]["momentum_buffer"], rtol=1e-6, atol=1e-7
        )


def test_either_goes_on_from_the_others_state():
    parameters, optimizer = steps(TORCHS)
    again = deepcopy(parameters)
    mine = StackedMuon([{"params": again[:3]}, {"params": again[3:]}], lr=0.02)
    mine.load_state_dict(optimizer.state_dict())
    assert mine.state_dict().keys() == optimizer.state_dict().keys()
    for mine_of, theirs_of in zip(again, parameters, strict=True):
        kept, wanted = mine.state[mine_of], optimizer.state[theirs_of]
        assert kept.keys() == wanted.keys()
        assert torch.equal(kept["momentum_buffer"], wanted["momentum_buffer"])


@pytest.mark.parametrize("shape", [(16, 16), (16, 40), (40, 16)])
def test_a_matrix_comes_near_its_singular_vectors(shape):
    drawn = torch.randn(3, *shape, generator=torch.Generator().manual_seed(3))
    turned = orthogonal(drawn, COEFFICIENTS, 5, 1e-7)
    U, _, V = torch.linalg.svd(drawn, full_matrices=False)
    kept = torch.diagonal(U.mT @ turned @ V.mT, dim1=1, dim2=2)  # of its singular values, near 1
    assert (kept > 0.3).all()
    assert (kept < 1.3).all()
    assert torch.linalg.svdvals(turned).max() < 1.3


def test_a_gradient_of_zeros_moves_nothing():
    assert torch.equal(orthogonal(torch.zeros(2, 4, 6), COEFFICIENTS, 5, 1e-7), torch.zeros(2, 4, 6))


def test_a_closure_is_called_with_gradients_and_its_loss_returned():
    parameter = torch.nn.Parameter(torch.eye(4))

    def closure():
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert StackedMuon([parameter], lr=0.1).step(closure).item() == 4
    assert not torch.equal(parameter, torch.eye(4))
