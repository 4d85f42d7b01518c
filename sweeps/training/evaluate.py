"""Validation loss: every token once, its standard error, and what each domain contributes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch

from sweeps.config.run import RunConfig
from sweeps.corpora.corpus import Corpus
from sweeps.corpora.tasks.task_corpus import TaskCorpus
from sweeps.corpora.tokens import Ids, Tokens
from sweeps.model.parscale import ParScaleLM
from sweeps.training.strategies import dealt, rank, ranks
from sweeps.training.task_evaluation import TaskScore, loss_and_error, score_tasks, tokens_to_ask

Context = Callable[[], AbstractContextManager[object]]
SUMMARY_SEQUENCES = 16  # sequences from which aggregation weights and stream similarity are read


@dataclass(frozen=True)
class Evaluation:
    """Loss on the validation set, in nats per token."""

    loss: float
    loss_se: float  # over evaluation batches: neighbours in a document are not independent
    domains: dict[str, tuple[float, int]]  # {domain: (loss, tokens)}
    weights: list[float]  # mean aggregation weight of each stream
    similarity: float  # mean cosine similarity between two streams. NaN at P = 1
    tasks: dict[str, TaskScore] = field(default_factory=dict)  # {domain: score} of a corpus with answers


def evaluate_corpus(
    model: ParScaleLM, corpus: Corpus, run: RunConfig, context: Context = nullcontext
) -> Evaluation:
    """What a run's validation text says of `model`: as `evaluate`, or of a task by its items.

    The loss of a task is that of what is learnt of an item. In a mixture the loss is that of all tokens, and its
    tasks are scored in addition.
    """
    sets = corpus.questions()
    every = not isinstance(corpus, TaskCorpus) or corpus.every
    tasks = score_tasks(model, sets, every, run.eval_batch * run.seq_len, context, tokens_to_ask(run))
    if not isinstance(corpus, TaskCorpus):
        read = (run.seq_len, run.eval_batch, corpus.valid_spans, context, run.eval_tokens)
        found = evaluate(model, corpus.valid, *read)
        return replace(found, tasks=tasks)
    loss, error = loss_and_error(tasks)
    domains = {
        name: (loss_and_error({name: score})[0], int(score.tokens.sum())) for name, score in tasks.items()
    }
    with torch.no_grad(), context():
        weights, similarity = _streams(model, corpus.valid, run.seq_len)
    return Evaluation(loss, error, domains, weights, similarity, tasks)


def evaluate(
    model: ParScaleLM,
    tokens: Tokens,
    seq_len: int,
    batch: int,
    spans: dict[str, tuple[int, int]] | None = None,
    context: Context = nullcontext,
    limit: int = 0,
) -> Evaluation:
    """Loss of `model` on all of `tokens`, in windows of `seq_len` that do not overlap.

    `spans` are the domains' token ranges. `context` an autocast to run under. With a `limit` only
    about so many tokens are read, in windows evenly spread. The standard error is that of the mean
    over batches of `batch` consecutive windows.
    """
    if len(tokens) < 2:
        raise ValueError(f"{len(tokens)} validation tokens: nothing to predict")
    batches = _batches(len(tokens), seq_len, batch, limit)
    training = model.training
    model.eval()
    with torch.no_grad(), context():
        # Every rank reads its turn of the batches. As many calls on each, for sharded weights.
        turns = -(-len(batches) // ranks())
        mine = [batches[min(turn * ranks() + rank(), len(batches) - 1)] for turn in range(turns)]
        parts = dealt([_losses(model, np.stack([tokens[a:b] for a, b in windows])) for windows in mine])
        parts = parts[: len(batches)]
        weights, similarity = _streams(model, tokens, seq_len)
    model.train(training)
    losses = np.concatenate(parts)
    predicted = np.concatenate([np.arange(a + 1, b) for windows in batches for a, b in windows])
    means = np.array([part.mean() for part in parts])
    shares = np.array([len(part) for part in parts]) / len(losses)
    loss = float(losses.mean())
    # Variance of a weighted mean of len(means) batches, shares as weights.
    several = len(means) / (len(means) - 1) if len(means) > 1 else math.nan
    spread = several * np.sum((shares * (means - loss)) ** 2)
    domains = {}
    for name, (first, last) in (spans or {}).items():
        own = losses[(predicted >= first) & (predicted < last)]
        if len(own):
            domains[name] = (float(own.mean()), len(own))
    return Evaluation(loss, math.sqrt(spread), domains, weights, similarity)


def _batches(count: int, seq_len: int, batch: int, limit: int) -> list[list[tuple[int, int]]]:
    """Batches of windows (first token, one past the last) that together predict every token but the first."""
    whole = (count - 1) // seq_len
    count_read = min(whole, -(-limit // seq_len)) if limit else whole
    starts = [place * whole // count_read * seq_len for place in range(count_read)]  # evenly spread
    windows = [(start, start + seq_len + 1) for start in starts]
    batches = [windows[i : i + batch] for i in range(0, len(windows), batch)]
    rest = (whole * seq_len, count)
    return [*batches, [rest]] if rest[1] - rest[0] > 1 and not (limit and whole) else batches


def _losses(model: ParScaleLM, ids: Ids) -> npt.NDArray[np.float64]:
    """(B, T + 1) token ids -> the loss of each prediction, flat."""
    block = torch.from_numpy(ids.astype(np.int64)).to(model.head.device)
    losses = model.loss(block[:, :-1], block[:, 1:], reduction="none")
    return losses.double().cpu().numpy().ravel()


def _streams(model: ParScaleLM, tokens: Tokens, seq_len: int) -> tuple[list[float], float]:
    P = model.config.P
    if P == 1:
        return [1.0], math.nan
    # Whole windows from the start, or what there is of one.
    count = min(SUMMARY_SEQUENCES, len(tokens) // seq_len)
    ids = tokens[: count * seq_len].reshape(count, seq_len) if count else tokens[:][None]
    summary = model.stream_summary(torch.from_numpy(ids.astype(np.int64)).to(model.head.device))
    pairs = (summary.similarity.sum() - summary.similarity.diagonal().sum()) / (P * (P - 1))
    return summary.weights.tolist(), float(pairs)
