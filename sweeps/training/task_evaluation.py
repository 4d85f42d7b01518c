"""Held-out items of tasks: the loss of their answers, and how many a model gets right to the last token.

Greedy text is the completion if and only if every token of it is the likeliest behind those before it. So one
pass over prompt and completion tells what generating would, without generating. Shapes: n items, L tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from sweeps.config.run import RunConfig
from sweeps.corpora.tasks.items import Items
from sweeps.model.parscale import ParScaleLM

LEAST = 16  # items of a difficulty that are asked, whatever the limit
SHARE = 0.1  # tokens asked for each token trained on. A forward pass is a third of a step, so 3% of its time

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TaskScore:
    """What a model makes of the validation items of one difficulty."""

    losses: Numbers  # (n,) summed over the item's learnt tokens, in nats
    tokens: Numbers  # (n,) how many those are
    answer_losses: Numbers  # (n,) summed over the completion
    answer_tokens: Numbers  # (n,)
    right: Numbers  # (n,) 1 where the greedy completion is the answer, line break included

    @property
    def answer_loss(self) -> float:
        """Nats a token of the completions."""
        return float(self.answer_losses.sum() / self.answer_tokens.sum())

    @property
    def exact_match(self) -> float:
        """Share of items that are right."""
        return float(self.right.mean())

    @property
    def exact_match_se(self) -> float:
        """Its standard error over items, never 0: Agresti and Coull's, two right and two wrong added."""
        n = len(self.right) + 4
        share = (self.right.sum() + 2) / n
        return math.sqrt(share * (1 - share) / n)

    def columns(self) -> dict[str, float | int]:
        """As the table of domains has it."""
        return {
            "items": len(self.right),
            "answer_loss": self.answer_loss,
            "exact_match": self.exact_match,
            "exact_match_se": self.exact_match_se,
        }


def tokens_to_ask(run: RunConfig) -> int:
    """Tokens that an evaluation of this run asks of tasks: `eval_tokens`, or less, to take 3% of the run's time."""
    share = int(SHARE * run.steps * run.batch_tokens / run.evaluations)
    return min(share, run.eval_tokens or share)


def pooled(scores: Mapping[str, TaskScore]) -> TaskScore:
    """The scores of several difficulties as of one set of items."""
    names = ("losses", "tokens", "answer_losses", "answer_tokens", "right")
    return TaskScore(*(np.concatenate([getattr(score, name) for score in scores.values()]) for name in names))


def loss_and_error(scores: Mapping[str, TaskScore]) -> tuple[float, float]:
    """Nats a learnt token, and its standard error over items, which are independent."""
    whole = pooled(scores)
    n, mean = len(whole.losses), float(whole.losses.sum() / whole.tokens.sum())
    apart = whole.losses - mean * whole.tokens
    return mean, float(np.sqrt((apart**2).sum() * n / max(1, n - 1)) / whole.tokens.sum())


def score_tasks(
    model: ParScaleLM,
    sets: Mapping[str, Items],
    every: bool,
    batch: int = 4096,
    context: Callable[[], AbstractContextManager[object]] = nullcontext,
    limit: int = 0,
) -> dict[str, TaskScore]:
    """Score each set of items.

    Args:
        model: any P and r.
        sets: items of each difficulty, by name.
        every: whether prompts count as learnt.
        batch: tokens at a time, about.
        context: an autocast to run under.
        limit: tokens to read in all, about, but at least LEAST items of each. 0 reads all.

    """
    training = model.training
    model.eval()
    found = {}
    for name, items in sets.items():
        n, length = items.ids.shape
        read = items.first(max(LEAST, min(n, limit // (len(sets) * length)))) if limit else items
        rows = [
            slice(i, i + max(1, batch // length)) for i in range(0, len(read.ids), max(1, batch // length))
        ]
        with torch.no_grad(), context():
            parts = [_score(model, read, every, each) for each in rows]
        found[name] = TaskScore(*np.concatenate(parts, axis=1))
    model.train(training)
    return found


def _score(model: ParScaleLM, items: Items, every: bool, rows: slice) -> Numbers:
    """(5, items) the fields of a score, for a batch of items."""
    ids, learnt = (torch.from_numpy(part[rows]) for part in (items.ids, items.masked(every) >= 0))
    answers = torch.from_numpy(items.answers[rows])[:, 1:]
    device, learnt = model.head.device, learnt[:, 1:]
    targets = ids[:, 1:].to(device)
    logits = model(ids[:, :-1].to(device)).float()
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").double().cpu()
    missed = ((logits.argmax(dim=-1) != targets).cpu() & answers).any(dim=1)
    sums = ((losses * learnt), learnt, (losses * answers), answers)
    return np.stack([*(part.double().sum(dim=1).numpy() for part in sums), (~missed).double().numpy()])
