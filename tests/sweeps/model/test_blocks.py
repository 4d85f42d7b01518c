"""The MLP and the mixture of experts."""

import pytest
import torch

from sweeps.model.blocks import MLP, MixtureOfExperts

pytestmark = pytest.mark.usefixtures("one_thread")


def test_mixture_is_the_weighted_sum_of_the_best_experts():
    mixture = MixtureOfExperts(6, 10, experts=4, per_token=2)
    for parameter in mixture.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(1, 5, 6)
    out = mixture(x)
    probability = (x[0] @ mixture.gate.weight.T).softmax(dim=-1)
    for token in range(5):
        kept, chosen = probability[token].topk(2)
        each = [mixture.experts[e](x[0, token]) for e in chosen.tolist()]
        torch.testing.assert_close(out[0, token], (kept[0] * each[0] + kept[1] * each[1]) / kept.sum())


def test_one_expert_is_the_dense_mlp():
    mixture, dense = MixtureOfExperts(6, 10, experts=1, per_token=1), MLP(6, 10)
    for parameter in mixture.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    dense.load_state_dict(mixture.experts[0].state_dict())
    x = torch.randn(2, 3, 6)
    torch.testing.assert_close(mixture(x), dense(x))
    assert mixture.balance.item() == pytest.approx(1)


def test_balance_is_one_when_even_and_more_when_not():
    mixture = MixtureOfExperts(2, 4, experts=2, per_token=1)
    for parameter in mixture.parameters():
        torch.nn.init.zeros_(parameter)
    mixture(torch.randn(1, 8, 2))
    assert mixture.balance.item() == pytest.approx(1)  # equal probabilities
    with torch.no_grad():
        mixture.gate.weight.copy_(torch.tensor([[50.0, 0], [0, 0]]))
    mixture(torch.ones(1, 8, 2))
    assert mixture.balance.item() == pytest.approx(2)  # all to the first
