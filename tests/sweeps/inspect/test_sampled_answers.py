"""Answers drawn behind a copied cache, and what is made of several."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from sweeps.config.model import ModelConfig
from sweeps.corpora.tasks.alphabet import NEWLINE, SIZE, codes_of
from sweeps.corpora.tasks.arithmetic import Arithmetic
from sweeps.corpora.tasks.items import Items, questions
from sweeps.inspect.generate import Sampling, generate
from sweeps.inspect.sampled_answers import (
    SampledAnswers,
    by_likelihood,
    by_vote,
    final_answer,
    pass_at_k,
    sample_answers,
)
from sweeps.model.parscale import ParScaleLM

MODEL = ModelConfig(
    vocab=SIZE, width=16, ffn=24, layers=3, heads=2, kv_heads=1, prefix_tokens=3, init_std=0.3
)
ITEMS = questions(Arithmetic(digits=(2,), steps=1), 2, most=5)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("P", "r"), [(1, 1), (3, 2)])
def test_samples_behind_a_copied_cache_are_those_of_the_model(P, r):
    torch.manual_seed(0)
    model = ParScaleLM(replace(MODEL, P=P, loops=r)).eval()
    found = sample_answers(model, ITEMS, 4, Sampling(0.9, seed=3))
    again = sample_answers(model, ITEMS, 4, Sampling(0.9, seed=3))
    assert np.array_equal(found.log_likelihood, again.log_likelihood)
    assert len({*found.log_likelihood[0]}) > 1
    T, A = int(ITEMS.prompt[0]), int(ITEMS.lengths[0] - ITEMS.prompt[0])
    greedy = sample_answers(model, ITEMS, 1, Sampling())
    cold = sample_answers(model, ITEMS, 3, Sampling(1e-5))  # each sample behind a cache of its own prompt
    assert cold.answers == [3 * each for each in greedy.answers]
    assert cold.log_likelihood == pytest.approx(np.repeat(greedy.log_likelihood, 3, axis=1), abs=1e-4)
    for row, prompt in enumerate(ITEMS.ids[:, :T]):
        (made,) = generate(model, [prompt.tolist()], A, stop=[NEWLINE])
        assert greedy.answers[row] == [final_answer(made)]
        assert greedy.tokens[row, 0] == len(made)
        ids = torch.tensor([[*prompt.tolist(), *made]])
        told = model(ids[:, :-1]).log_softmax(dim=-1)[0, T - 1 :].gather(1, ids[0, T:, None]).sum().item()
        assert greedy.log_likelihood[row, 0] == pytest.approx(told, abs=1e-4)


def test_the_work_is_not_judged():
    assert final_answer(codes_of("90:112\n5")) == final_answer(codes_of("1:112\n")) == tuple(codes_of("112"))
    assert final_answer(codes_of("112")) is None
    with pytest.raises(ValueError, match="difficulty"):
        sample_answers(None, Items(ITEMS.ids, np.arange(5), ITEMS.lengths), 1, Sampling())


def test_pass_at_k_is_the_mean_over_subsets():
    right = np.array([[False] * 5, [True, False, False, False, True], [True] * 5])
    for k in (1, 2, 4):
        among = [[any(row[list(chosen)]) for chosen in combinations(range(5), k)] for row in right]
        assert pass_at_k(right, k) == pytest.approx(np.mean(among, axis=1))
    with pytest.raises(ValueError, match=r"pass@6.*5"):
        pass_at_k(right, 6)


def test_votes_and_the_likeliest():
    a, b = (1,), (2,)
    told = np.array([[-1.0, -2.0, -3.0, -9.0], [-5.0, -1.0, -2.0, -0.5]])
    found = SampledAnswers([[a, a, b, None], [b, b, None, a]], [a, a], told, np.full((2, 4), 2))
    assert by_vote(found, 1).tolist() == [0.5, 0.25]
    assert by_vote(found, 2).tolist() == [0.5, 0.5]  # the second: two for b, one for a alone
    assert by_vote(found, 4).tolist() == [1.0, 0.0]
    assert by_likelihood(found, 1).tolist() == [0.5, 0.25]
    assert by_likelihood(found, 2).tolist() == [0.5, 0.5]
    assert by_likelihood(found, 4).tolist() == [1.0, 1.0]
