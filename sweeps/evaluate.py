"""Held-out loss: every token once, its standard error, and what each domain contributes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from sweeps.model import ParScaleLM
from sweeps.tokens import Tokens

Context = Callable[[], AbstractContextManager[object]]
SUMMARY_SEQUENCES = 16  # sequences from which aggregation weights and stream similarity are read


@dataclass(frozen=True)
class Evaluation:
    """Loss on the held-out set, in nats per token."""

    loss: float
    loss_se: float  # over evaluation batches: neighbours in a document are not independent
    domains: dict[str, tuple[float, int]]  # {domain: (loss, tokens)}
    weights: list[float]  # mean aggregation weight of each stream
    similarity: float  # mean cosine similarity between two streams; NaN at P = 1


def evaluate(
    model: ParScaleLM,
    tokens: Tokens,
    seq_len: int,
    batch: int,
    spans: dict[str, tuple[int, int]] | None = None,
    context: Context = nullcontext,
) -> Evaluation:
    """Loss of `model` on all of `tokens`, in windows of `seq_len` that do not overlap.

    `spans` are the domains' token ranges; `context` an autocast to run under. The standard error
    is that of the mean over batches of `batch` consecutive windows.
    """
    if len(tokens) < 2:
        raise ValueError(f"{len(tokens)} held-out tokens: nothing to predict")
    training = model.training
    model.eval()
    with torch.no_grad(), context():
        parts = [_losses(model, ids) for ids in _batches(tokens, seq_len, batch)]
        weights, similarity = _streams(model, tokens, seq_len)
    model.train(training)
    losses = np.concatenate(parts)
    means = np.array([part.mean() for part in parts])
    shares = np.array([len(part) for part in parts]) / len(losses)
    loss = float(losses.mean())
    # Variance of a weighted mean of len(means) batches, shares as weights.
    spread = len(means) / max(1, len(means) - 1) * np.sum((shares * (means - loss)) ** 2)
    domains = {}
    for name, (first, last) in (spans or {}).items():
        own = losses[max(first - 1, 0) : last - 1]  # losses[i] is that of predicting token i + 1
        if len(own):
            domains[name] = (float(own.mean()), len(own))
    return Evaluation(loss, math.sqrt(spread), domains, weights, similarity)


def _batches(tokens: Tokens, seq_len: int, batch: int) -> list[npt.NDArray[np.int64]]:
    """Consecutive (B, T + 1) blocks that together predict every token but the first."""
    count = (len(tokens) - 1) // seq_len
    rows = [tokens[i * seq_len : (i + 1) * seq_len + 1] for i in range(count)]
    blocks = [np.stack(rows[i : i + batch]).astype(np.int64) for i in range(0, count, batch)]
    rest = tokens[count * seq_len :]
    return [*blocks, rest[None].astype(np.int64)] if len(rest) > 1 else blocks


def _losses(model: ParScaleLM, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(B, T + 1) token ids -> the loss of each prediction, flat."""
    block = torch.from_numpy(ids).to(model.head.device)
    losses = model.loss(block[:, :-1], block[:, 1:], reduction="none")
    return losses.double().cpu().numpy().ravel()


def _streams(model: ParScaleLM, tokens: Tokens, seq_len: int) -> tuple[list[float], float]:
    P = model.config.P
    if P == 1:
        return [1.0], math.nan
    block = _batches(tokens[: SUMMARY_SEQUENCES * seq_len + 1], seq_len, SUMMARY_SEQUENCES)[0]
    summary = model.stream_summary(torch.from_numpy(block[:, :-1]).to(model.head.device))
    pairs = (summary.similarity.sum() - summary.similarity.diagonal().sum()) / (P * (P - 1))
    return summary.weights.tolist(), float(pairs)
