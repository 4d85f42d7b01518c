"""Answers drawn from a model, many a question: voting, the likeliest of several, pass@k.

A prompt is read once, its cache copied for the samples, and every token is drawn behind the cache. An answer is
right if the text after its work, up to the line break, is what the task's own completion says there: the
work itself is not judged. Shapes: n items, M samples each, T tokens of a prompt, A of an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sweeps.corpora.tasks.alphabet import NEWLINE, THEREFORE
from sweeps.corpora.tasks.items import Items
from sweeps.inspect.generate import Cached, Sampling, refuse_not_finite_logits
from sweeps.model.parscale import ParScaleLM

ROWS = 2048  # samples that are continued at once
Answer = tuple[int, ...] | None  # tokens behind the work. None of an answer that does not end

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SampledAnswers:
    """M answers of each of n items."""

    answers: list[list[Answer]]  # n lists of M
    truth: list[Answer]  # (n,) the answers asked for
    log_likelihood: Numbers  # (n, M) summed over an answer's tokens, work included, at temperature 1
    tokens: npt.NDArray[np.int64]  # (n, M) drawn, line break included

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """(n, M) which are right."""
        pairs = zip(self.answers, self.truth, strict=True)
        return np.array([[answer == truth for answer in each] for each, truth in pairs])


class OpenDecoder(Cached):
    """A model behind a cache whose prompts can be split into samples."""

    def fan_out(self, times: int) -> None:
        """Continue each prompt `times` times from here on."""
        self.cache = self.cache.repeated(times)


def final_answer(tokens: npt.ArrayLike) -> Answer:
    """The text after the work of a completion and before its line break. None where it does not end."""
    ids = np.asarray(tokens).tolist()
    if NEWLINE not in ids:
        return None
    ids = ids[: ids.index(NEWLINE)]
    worked = len(ids) - ids[::-1].index(THEREFORE) if THEREFORE in ids else 0
    return tuple(ids[worked:])


@torch.inference_mode()
def sample_answers(model: ParScaleLM, items: Items, samples: int, sampling: Sampling) -> SampledAnswers:
    """Draw `samples` answers to every item, each up to its line break or as long as the completion asked for.

    Args:
        model: any P and r.
        items: their prompts are all of one length, as a task's of one difficulty are.
        samples: M. At temperature 0 all are equal, so give 1.
        sampling: temperature, top-k, top-p and seed.

    """
    if len(set(items.prompt.tolist())) != 1 or len(set(items.lengths.tolist())) != 1:
        raise ValueError("items of several lengths: sample the answers of one difficulty at a time")
    T, A = int(items.prompt[0]), int(items.lengths[0] - items.prompt[0])
    choose = sampling.chooser(model.head.device)
    prompts = torch.from_numpy(items.ids[:, :T]).to(model.head.device)
    parts = [
        _drawn(model, part, samples, A, choose) for part in torch.split(prompts, max(1, ROWS // samples))
    ]
    ids, told = (torch.cat(each).cpu().numpy() for each in zip(*parts, strict=True))
    ended = np.where((ids == NEWLINE).any(axis=2), (ids == NEWLINE).argmax(axis=2) + 1, A)
    drawn = np.arange(A) < ended[:, :, None]
    return SampledAnswers(
        answers=[[final_answer(answer) for answer in each] for each in ids],
        truth=[final_answer(row[T:]) for row in items.ids],
        log_likelihood=np.where(drawn, told, 0.0).sum(axis=2),
        tokens=ended,
    )


def _drawn(
    model: ParScaleLM, prompts: Tensor, samples: int, longest: int, choose: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """(n, M, A) tokens drawn, and the log likelihood of each. What follows a line break is of no account."""
    decoder = OpenDecoder(model)
    logits = decoder.prefill(prompts, None, prompts.shape[1] + longest).repeat_interleave(samples, dim=0)
    decoder.fan_out(samples)
    ids = torch.zeros(len(logits), longest, dtype=torch.long, device=logits.device)
    told = torch.zeros(len(logits), longest, device=logits.device)
    for place in range(longest):
        ids[:, place] = choose(refuse_not_finite_logits(logits))
        told[:, place] = logits.float().log_softmax(dim=-1).gather(1, ids[:, place : place + 1])[:, 0]
        if place + 1 == longest or bool((ids == NEWLINE).any(dim=1).all()):
            break
        logits = decoder.step(ids[:, place])
    shape = (len(prompts), samples, longest)
    return ids.reshape(shape), told.reshape(shape)


def pass_at_k(right: npt.NDArray[np.bool_], k: int) -> Numbers:
    """(n,) each item's pass@k, that one of k samples is right: 1 - C(M - c, k) / C(M, k) of c right among M.

    Unbiased (Chen et al. 2021, arXiv 2107.03374, eq 1), which 1 - (1 - c / M)^k is not.

    Raises:
        ValueError: k is not 1 to M.

    """
    M = right.shape[1]
    if not 1 <= k <= M:
        raise ValueError(f"pass@{k} of {M} samples: give k from 1 to {M}")
    by_count = np.array([1 - comb(M - c, k) / comb(M, k) for c in range(M + 1)])
    found: Numbers = by_count[right.sum(axis=1)]
    return found


def by_vote(found: SampledAnswers, m: int) -> Numbers:
    """(n,) how often the majority of m samples is right, over the groups of m that the samples make.

    An answer that does not end has no vote. Of several answers with as many votes, one is taken by lot, so a
    right one among t counts 1 / t.
    """
    scores = []
    for answers, truth in zip(found.answers, found.truth, strict=True):
        groups = [answers[i : i + m] for i in range(0, len(answers) - m + 1, m)]
        scores.append(np.mean([_vote(group, truth) for group in groups]))
    return np.array(scores)


def _vote(answers: list[Answer], truth: Answer) -> float:
    votes = Counter(answer for answer in answers if answer is not None)
    most = max(votes.values(), default=0)
    leading = [answer for answer, count in votes.items() if count == most]
    return (truth in leading) / len(leading) if leading else 0.0


def by_likelihood(found: SampledAnswers, m: int) -> Numbers:
    """(n,) how often the likeliest of m samples is right, over the groups of m that the samples make."""
    n, M = found.log_likelihood.shape
    told = found.log_likelihood[:, : M // m * m].reshape(n, -1, m)
    right = found.right[:, : M // m * m].reshape(n, -1, m)
    chosen = told.argmax(axis=2)[:, :, None]
    scores: Numbers = np.take_along_axis(right, chosen, axis=2)[:, :, 0].mean(axis=1)
    return scores
