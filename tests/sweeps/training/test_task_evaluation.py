"""Exact match: what greedy text would say, in one pass."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.corpora import build as corpora
from sweeps.corpora.tasks.alphabet import NEWLINE
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.inspect.generate import generate
from sweeps.training.task_evaluation import (
    SHARE,
    TaskScore,
    loss_and_error,
    pooled,
    score_tasks,
    tokens_to_ask,
)
from sweeps.training.train import train
from tests.sweeps.small_run import ONE


@pytest.mark.slow
def test_a_match_is_what_greedy_text_says(tmp_path, monkeypatch):
    """A model that has learnt some of its facts: the same ones are right either way."""
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    (run,) = find("ci")(Axes(sizes=("32x2",), streams=(2,), corpora=("task:facts#facts=60#value=2",)))
    (run,) = corpora.bind([replace(run, steps=90, seq_len=48, batch=8, eval_tokens=0)])
    row = train(run, tmp_path / "run", execution=ONE)
    model, (items,) = load_checkpoint(tmp_path / "run").eval(), corpora.open_for(run).questions().values()
    scores = score_tasks(model, {"facts": items}, every=False)
    made = generate(
        model, [ids[:p].tolist() for ids, p in zip(items.ids, items.prompt, strict=True)], 3, stop=[NEWLINE]
    )
    right = [new == ids[p:].tolist() for new, ids, p in zip(made, items.ids, items.prompt, strict=True)]
    assert scores["facts"].right.tolist() == right
    assert 0 < sum(right) < 60
    assert row["exact_match"] == pytest.approx(np.mean(right))
    assert row["loss"] == pytest.approx(scores["facts"].answer_loss, abs=1e-6)


def test_losses_are_a_token_and_errors_over_items():
    one = TaskScore(*(np.array(x, float) for x in ([2, 4], [2, 2], [2, 4], [2, 2], [1, 0])))
    mean, error = loss_and_error({"a": one, "b": one})
    assert (mean, pooled({"a": one, "b": one}).answer_loss) == (1.5, 1.5)
    assert error == pytest.approx(math.sqrt(4 * 4 / 3) / 8)
    assert one.columns() == {
        "items": 2, "answer_loss": 1.5, "exact_match": 0.5, "exact_match_se": pytest.approx(math.sqrt(0.25 / 6))
    }  # fmt: skip


def test_questions_take_a_small_share_of_a_run():
    (run,) = find("ci")(Axes(sizes=("32x2",), streams=(1,), corpora=("task:copy",)))
    run = replace(run, eval_tokens=0, evaluations=4)
    assert 4 * tokens_to_ask(run) <= SHARE * run.D
    assert tokens_to_ask(replace(run, eval_tokens=70)) == 70
