"""Accuracy of each trained run of a sweep on its task against what an answer costs: samples, streams, loops, work.

Writes inference.parquet next to the sweep's runs.parquet. `parscale inference` draws it. A row is a run, a
difficulty, a way of answering and a number m of samples. Columns: run_id, corpus, difficulty, steps (tokens of
work before the answer), size, N, P, seed, r (loops as they ran) and trained_r, way (greedy, one: a sample alone,
vote, likeliest, pass: that one of m is right, which needs a judge), m, accuracy, accuracy_se (over items), items,
tokens (drawn a sample, mean), flops (a question: the prompt once, every sample), and of 1 and 8 questions at once
latency_s_1, latency_s_8 (measured, median of REPEATS) and memory_bytes_1, memory_bytes_8 (the weights and the
caches as they were allocated), asked (how, in words: another way of asking is asked again).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.corpora.tasks.alphabet import NEWLINE, THEREFORE
from sweeps.corpora.tasks.items import Items
from sweeps.grids.scaling_rules import split_loops
from sweeps.inspect import trained_runs
from sweeps.inspect.generate import Sampling
from sweeps.inspect.sampled_answers import (
    OpenDecoder,
    SampledAnswers,
    by_likelihood,
    by_vote,
    pass_at_k,
    sample_answers,
)
from sweeps.model.parscale import ParScaleLM

TABLE = "inference.parquet"
ORDER = ("corpus", "difficulty", "N", "P", "trained_r", "r", "seed", "run_id", "way", "m")  # of the rows
BATCHES = (1, 8)  # questions at once
REPEATS = 5


@dataclass(frozen=True)
class Asking:
    """How a sweep's models are asked."""

    samples: int = 32  # M, of each question
    items: int = 256  # of each difficulty, at most
    temperature: float = 0.7
    loops: tuple[int, ...] = ()  # r of looped models, in addition to that of their training
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be asked."""
        if self.samples < 1 or self.items < 1:
            raise ValueError(f"{self.samples} samples of {self.items} items: give at least one of each")
        if not self.temperature > 0:
            raise ValueError(
                f"temperature {self.temperature:g}: samples differ above 0 only. Greedy is asked anyway"
            )

    def __str__(self) -> str:
        """In words, for the table."""
        looped = f", r {','.join(map(str, self.loops))}" if self.loops else ""
        return f"{self.samples} samples at {self.temperature:g}, {self.items} items{looped}, seed {self.seed}"

    @property
    def numbers(self) -> list[int]:
        """The m that are tried: 1, 2, 4 and so on, M at most."""
        return [2**i for i in range(self.samples.bit_length())]


def measure_inference(folder: Path, asking: Asking) -> pd.DataFrame:
    """The table of every finished run on a task whose weights are kept, which is written."""
    several = [known for known in trained_runs.runs(folder) if known[1].corpus.startswith("task:")]
    if not several:
        raise ValueError(f"{folder}: no finished run on a task: whose weights are kept under checkpoints/")

    def of_run(known: trained_runs.Known) -> pd.DataFrame:
        return pd.DataFrame(list(_rows(known[2], known[1], asking)))

    return trained_runs.complete(folder, TABLE, str(asking), of_run, several, order=ORDER, column="asked")


def _rows(weights: Path, config: RunConfig, asking: Asking) -> Iterator[dict[str, Any]]:
    """One run's rows: every number of loops, every difficulty."""
    model = trained_runs.load_trained(weights)
    questions = corpora.open_for(config).questions()
    trained = config.model.loops
    of_run = {
        "corpus": config.corpus,
        "size": split_loops(config.size)[0],
        "N": config.model.N,
        "P": config.model.P,
    }
    of_run |= {"seed": config.seed, "trained_r": trained}
    for r in sorted({trained, *(asking.loops if trained > 1 else ())}):
        if r != model.config.loops:
            model.set_loops(r)
        for name, items in questions.items():
            difficulty = int(name.rsplit(maxsplit=1)[1])
            for row in answer_rows(model, items.first(asking.items), asking):
                yield {**of_run, "r": r, "difficulty": difficulty, "steps": _work(items), **row}


def _work(items: Items) -> int:
    """Tokens of work before the answer."""
    answer = items.ids[0, items.prompt[0] : items.lengths[0]]
    return int(np.flatnonzero(answer == THEREFORE)[0]) if (answer == THEREFORE).any() else 0


def answer_rows(model: ParScaleLM, items: Items, asking: Asking) -> Iterator[dict[str, Any]]:
    """Accuracy and cost of every way of answering the items of one difficulty, at every m."""
    prompt = int(items.prompt[0])
    greedy = sample_answers(model, items, 1, Sampling())
    yield _row("greedy", 1, greedy.right[:, 0].astype(float), _cost(model, prompt, greedy, 1))
    drawn = sample_answers(model, items, asking.samples, Sampling(asking.temperature, seed=asking.seed))
    for m in asking.numbers:
        cost = _cost(model, prompt, drawn, m)
        if m == 1:
            yield _row("one", 1, drawn.right.mean(axis=1), cost)
            continue
        yield _row("vote", m, by_vote(drawn, m), cost)
        yield _row("likeliest", m, by_likelihood(drawn, m), cost)
        yield _row("pass", m, pass_at_k(drawn.right, m), cost)


def _row(way: str, m: int, score: np.ndarray, cost: dict[str, float]) -> dict[str, Any]:
    se = float(score.std(ddof=1) / np.sqrt(len(score))) if len(score) > 1 else float("nan")
    return {
        "way": way,
        "m": m,
        "accuracy": float(score.mean()),
        "accuracy_se": se,
        "items": len(score),
        **cost,
    }


def _cost(model: ParScaleLM, prompt: int, drawn: SampledAnswers, m: int) -> dict[str, float]:
    """FLOPs of a question, and latency and memory of 1 and 8 at once, each of m samples."""
    tokens = float(drawn.tokens.mean())
    found = {"tokens": tokens, "flops": question_flops(model.config, prompt, tokens, m)}
    for batch in BATCHES:
        latency, memory = time_answering(model, batch, prompt, round(tokens), m)
        found |= {f"latency_s_{batch}": latency, f"memory_bytes_{batch}": memory}
    return found


def question_flops(config: ModelConfig, prompt: int, tokens: float, samples: int) -> float:
    """FLOPs of one question: its prompt read once, then samples of so many tokens, the last never read.

    Counted as `ModelConfig.forward_flops` counts, whose mean over a sequence of L tokens times L is what the whole
    sequence costs.
    """

    def whole(length: float) -> float:
        low = int(length)
        ends = [L * config.forward_flops(L) for L in (low, low + 1)]
        return ends[0] + (length - low) * (ends[1] - ends[0])

    return whole(prompt) + samples * (whole(prompt + tokens - 1) - whole(prompt))


@torch.inference_mode()
def time_answering(
    model: ParScaleLM, batch: int, prompt: int, tokens: int, samples: int
) -> tuple[float, int]:
    """Median seconds to answer `batch` questions at once, and the bytes of weights and caches meanwhile."""
    device = model.head.device
    ids = torch.randint(NEWLINE + 1, model.config.vocab, (batch, prompt), device=device)
    choose = Sampling(1.0).chooser(device)
    held = 0

    def once() -> float:
        nonlocal held
        start = time.perf_counter()
        decoder = OpenDecoder(model)
        logits = decoder.prefill(ids, None, prompt + tokens).repeat_interleave(samples, dim=0)
        decoder.fan_out(samples)
        for _ in range(tokens - 1):
            logits = decoder.step(choose(logits))
        choose(logits).tolist()  # waits for the device
        held = decoder.cache.memory_bytes
        return time.perf_counter() - start

    once()
    latency = statistics.median([once() for _ in range(REPEATS)])
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return latency, weights + held
