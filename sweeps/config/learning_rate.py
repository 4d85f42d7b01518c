"""The learning rate that a run's configuration plans, step by step."""

from __future__ import annotations

import math

from sweeps.config.run import RunConfig

KNOTS = 400  # of a planned schedule: it is smooth but for a few turns


def learning_rate_factor(run: RunConfig, step: int) -> float:
    """The learning rate of optimiser step `step` (from 0), in units of the peak.

    A linear rise over the warm-up, then cosine or linear decay to `final_lr`, or (wsd) the peak
    until the last `decay_share` of the steps and a linear decay over those.
    """
    warm = max(1, round(run.warmup * run.steps))
    if step < warm:
        return (step + 1) / warm
    start = warm if run.schedule != "wsd" else max(warm, round((1 - run.decay_share) * run.steps))
    if step < start:
        return 1.0
    share = (step + 1 - start) / max(1, run.steps - start)
    left = 0.5 * (1 + math.cos(math.pi * share)) if run.schedule == "cosine" else 1 - share
    return run.final_lr + (1 - run.final_lr) * left


def planned_rates(run: RunConfig) -> tuple[list[float], list[float]]:
    """Steps of a run's last stage, from 1 to its end, and the learning rate planned at each."""
    every = max(1, run.steps // KNOTS)
    steps = sorted({*range(1, run.steps + 1, every), run.steps, max(1, round(run.warmup * run.steps))})
    if run.schedule == "wsd":
        steps = sorted({*steps, max(1, round((1 - run.decay_share) * run.steps))})
    return [float(step) for step in steps], [run.lr * learning_rate_factor(run, step - 1) for step in steps]
