"""What the streams of a trained model are: their weights, their likeness, and what averaging them gives.

Shapes: P streams, X tokens, Q sequences, h width, V vocab.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from sweeps.model.chunked_loss import chunk_elements, linear_cross_entropy
from sweeps.model.parscale import ParScaleLM

SUBSETS = 64  # of the P streams, at most, for each number of streams


@dataclass(frozen=True)
class StreamReport:
    """Tables of one model on one validation text. Losses in nats per token. _se are over sequences."""

    P: int
    tokens: int
    loss: float  # of the model, its own aggregation
    loss_se: float
    entropy: float  # of the aggregation weights, token by token, in nats. ln P when they are equal
    streams: pd.DataFrame  # stream, weight, loss, loss_se: each stream read by the LM head alone
    pairs: pd.DataFrame  # first, second, hidden_similarity (cosine), prediction_overlap (Bhattacharyya)
    ensemble: pd.DataFrame  # m, subsets, loss, loss_se, gain, gain_se: see `ensemble_table`
    by_sequence: np.ndarray  # (Q,) the model's loss on each sequence

    @property
    def gain_slope(self) -> float:
        """Least-squares slope of L_1 - L_m on 1 - 1/m, through the origin.

        Proposition 1 of arXiv 2505.10475 says L_1 - L_m = (L_1 - E)(1 - rho)(1 - 1/m).
        """
        x = 1 - 1 / self.ensemble["m"].to_numpy(float)
        gain = self.ensemble["gain"].to_numpy(float)
        return float(x @ gain / (x @ x)) if self.P > 1 else float("nan")

    def rho(self, E: float) -> float:
        """The correlation that Proposition 1 reads from the slope, given the irreducible loss E."""
        single = float(self.ensemble["loss"].iloc[0])
        if not single > E:
            raise ValueError(f"E = {E} must be below the loss of one stream, {single:.4f}")
        return 1 - self.gain_slope / (single - E)


def mean_and_se(by_sequence: np.ndarray) -> tuple[float, float]:
    """Mean over sequences and its standard error. NaN from fewer than two."""
    n = len(by_sequence)
    error = by_sequence.std(ddof=1) / math.sqrt(n) if n > 1 else float("nan")
    return float(by_sequence.mean()), float(error)


def chosen_subsets(P: int, m: int, limit: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """All subsets of m streams, or `limit` different ones drawn at random."""
    if math.comb(P, m) <= limit:
        return list(combinations(range(P), m))
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < limit:
        drawn.add(tuple(sorted(rng.choice(P, m, replace=False).tolist())))
    return sorted(drawn)


def ensemble_table(losses: np.ndarray) -> pd.DataFrame:
    """L_m: the loss of the equal-weight average of the predictions of m streams, for every m.

    Only the probability of the true token enters. The gain is L_1 - L_m sequence by sequence, so that
    what all streams find hard cancels in its standard error. At most SUBSETS subsets for each m.

    Args:
        losses: -log probability of the true token, (P, Q, T).

    """
    P, rng = len(losses), np.random.default_rng(0)
    single, rows = losses.mean(axis=(0, 2)), []
    for m in range(1, P + 1):
        subsets = chosen_subsets(P, m, SUBSETS, rng)
        averaged = np.stack([-np.logaddexp.reduce(-losses[list(s)], axis=0) + math.log(m) for s in subsets])
        by_sequence = averaged.mean(axis=(0, 2))
        gain, gain_se = mean_and_se(single - by_sequence)
        loss, loss_se = mean_and_se(by_sequence)
        rows.append((m, len(subsets), loss, loss_se, gain, gain_se))
    return pd.DataFrame(rows, columns=["m", "subsets", "loss", "loss_se", "gain", "gain_se"])


def overlap(streams: Tensor, head: Tensor) -> Tensor:
    """Mean over tokens of sum_v sqrt(p_i(v) p_j(v)), (P, P): 1 where two streams predict the same."""
    P, X, _ = streams.shape
    total = torch.zeros(P, P, dtype=torch.float64)
    for rows in torch.split(streams, max(1, chunk_elements(head.device) // (P * len(head))), dim=1):
        root = (0.5 * F.linear(rows, head).float().log_softmax(dim=-1)).exp()
        total += torch.einsum("pxv,qxv->pq", root, root).double().cpu()
    return total / X


@dataclass
class _Sums:
    """What is added up over batches."""

    own: list[Tensor]  # the model's loss, (B, T) each
    alone: list[Tensor]  # each stream's, (P, B, T) each
    weights: Tensor
    entropy: float
    cosine: Tensor
    overlap: Tensor
    tokens: int


def _add(model: ParScaleLM, inputs: Tensor, targets: Tensor, sums: _Sums) -> None:
    """Run one batch through the model and add what it says."""
    inputs, targets = inputs.to(model.head.device), targets.to(model.head.device)
    streams = model.streams(inputs)
    mixed, weights = model.aggregate(streams)
    X = inputs.numel()
    sums.own.append(linear_cross_entropy(mixed, model.head, targets, "none").double().cpu())
    alone = [linear_cross_entropy(stream, model.head, targets, "none") for stream in streams]
    sums.alone.append(torch.stack(alone).double().cpu())
    weights = weights.flatten(0, 1).double().cpu()
    sums.weights += weights.sum(dim=0)
    sums.entropy += float(torch.special.entr(weights).sum())
    flat = streams.flatten(1, 2)
    unit = F.normalize(flat.float(), dim=-1)
    sums.cosine += torch.einsum("pxh,qxh->pq", unit, unit).double().cpu()
    sums.overlap += overlap(flat, model.head) * X
    sums.tokens += X


@torch.no_grad()
def diagnose(model: ParScaleLM, batches: Iterable[tuple[Tensor, Tensor]]) -> StreamReport:
    """Every diagnostic of a model's streams on validation text.

    Args:
        model: any P. At P = 1 the tables have one row and nothing is gained.
        batches: pairs of inputs and targets, (B, T) each, targets already shifted, no padding.

    """
    P = model.config.P
    zeros = (torch.zeros(P).double(), 0.0, torch.zeros(P, P).double(), torch.zeros(P, P).double(), 0)
    sums = _Sums([], [], *zeros)
    for inputs, targets in batches:
        _add(model, inputs, targets, sums)
    if not sums.tokens:
        raise ValueError("no validation text was given: batches is empty")
    alone = torch.cat(sums.alone, dim=1).numpy()  # (P, Q, T)
    by_sequence = torch.cat(sums.own).numpy().mean(axis=1)
    loss, loss_se = mean_and_se(by_sequence)
    weight = (sums.weights / sums.tokens).tolist()
    by_stream = [(i, weight[i], *mean_and_se(alone[i].mean(axis=1))) for i in range(P)]
    cosine, overlaps = sums.cosine / sums.tokens, sums.overlap / sums.tokens
    pairs = [(i, j, float(cosine[i, j]), float(overlaps[i, j])) for i, j in combinations(range(P), 2)]
    pair_names = ["first", "second", "hidden_similarity", "prediction_overlap"]
    return StreamReport(
        P=P,
        tokens=sums.tokens,
        loss=loss,
        loss_se=loss_se,
        entropy=sums.entropy / sums.tokens,
        streams=pd.DataFrame(by_stream, columns=["stream", "weight", "loss", "loss_se"]),
        pairs=pd.DataFrame(pairs, columns=pair_names),
        ensemble=ensemble_table(alone),
        by_sequence=by_sequence,
    )
