"""The validation loss: every token once, or as many as asked for, evenly spread."""

import numpy as np
import pytest

pytest.importorskip("torch")

from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM
from sweeps.training.evaluate import _batches, evaluate


def test_a_limited_evaluation_reads_as_many_tokens_as_it_is_told_evenly_spread():
    windows = [window for batch in _batches(10_001, 10, 7, limit=6400) for window in batch]
    assert len(windows) == 640
    gaps = np.diff([first for first, _ in windows])
    assert set(gaps) == {10, 20}
    assert all(last - first == 11 for first, last in windows)
    assert windows[-1][0] >= 9_970
    assert sum(map(len, _batches(10_001, 10, 7, limit=10**6))) == 1000


def test_evaluation_reads_every_token_once_whatever_the_batch():
    config = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1)
    model, valid = ParScaleLM(config), np.random.default_rng(0).integers(0, 300, 1500).astype(np.uint16)
    spans = {"a": (0, 700), "b": (700, 1500)}
    one = evaluate(model, valid, 32, 5, spans)
    other = evaluate(model, valid, 32, 64, spans)
    assert one.loss == pytest.approx(other.loss, abs=1e-6)
    assert sum(count for _, count in one.domains.values()) == len(valid) - 1
    mean = sum(loss * count for loss, count in one.domains.values()) / (len(valid) - 1)
    assert mean == pytest.approx(one.loss, abs=1e-9)


def test_a_limit_leaves_what_is_shorter_than_a_window():
    assert _batches(9, 32, 5, limit=4000) == [[(0, 9)]]
