"""Counts against the published ones."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.accounting import Shape, forward_flops_per_token, training_flops, training_memory
from scaling.data.runs import arrays

ROOT = __import__("pathlib").Path(__file__).parents[2] / "results" / "published"
LOSSES = pd.read_csv(ROOT / "losses.csv")
SHAPES = pd.read_csv(ROOT / "architectures.csv", dtype={"status": str}).set_index("paper_size_label")
PUBLISHED = LOSSES[["size", "P", "N"]].drop_duplicates().to_records(index=False).tolist()


def shape(size: str, P: int) -> Shape:
    a = SHAPES.loc[size]
    return Shape(
        width=int(a.hidden), ffn=int(a.intermediate), layers=int(a.layers), heads=int(a.heads),
        kv_heads=int(a.kv_heads), vocab=int(a.vocab), P=P,
    )  # fmt: skip


def test_there_are_twenty_four() -> None:
    assert len(PUBLISHED) == 24


@pytest.mark.parametrize(("size", "P", "N"), PUBLISHED)
def test_published_counts_exactly(size: str, P: int, N: int) -> None:
    assert shape(size, P).N == N


@pytest.mark.parametrize("size", list(SHAPES.index))
def test_embeddings_tied(size: str) -> None:
    if "total_params_tied_emb" in SHAPES:
        assert shape(size, 1).parameters == SHAPES.total_params_tied_emb[size]


def test_training_flops_against_6ND() -> None:
    """Our count is 6 N P D plus attention and the head, which the rule of thumb leaves out."""
    one = shape("4.4B", 8)
    rule = 6.0 * one.matrix_parameters * 8 * 42e9
    ours = training_flops(one, 42e9, 2048)
    assert 1.0 < ours / rule < 1.3
    assert ours > np.iinfo(np.int64).max  # what int64 could not have held
    assert isinstance(training_flops(one, 42_000_000_000, 2048), float)
    assert training_flops(one, 42_000_000_000, 2048) == ours


def test_streams_multiply_the_layers_not_the_head() -> None:
    one, eight = shape("0.5B", 1), shape("0.5B", 8)
    head = 2.0 * one.width * one.vocab
    ratio = (forward_flops_per_token(eight, 2048) - head) / (forward_flops_per_token(one, 2048) - head)
    assert 8 < ratio < 8.5


def test_memory_grows_with_streams_and_falls_with_shards_and_checkpointing() -> None:
    two, four = shape("0.5B", 2), shape("0.5B", 4)
    plain = training_memory(two, 2048, 4)
    assert plain.of(3) == plain.fixed + 3 * plain.sequence
    assert training_memory(four, 2048, 4).sequence == pytest.approx(2 * plain.sequence)
    half, all_ = (training_memory(two, 2048, 4, recompute_every=n).sequence for n in (2, 1))
    assert all_ < half < plain.sequence
    shares = training_memory(two, 2048, 4, shards=8)
    assert plain.fixed / 8 < shares.fixed < plain.fixed / 2
    added_up = training_memory(two, 2048, 4, shards=8, micro_batches=2).fixed - shares.fixed
    assert added_up == 4 * two.parameters  # gradients, whole until the end of a step
    assert training_memory(two, 2048, 4, muon=True).fixed == plain.fixed - 4 * two.matrix_parameters


def test_sixND_does_not_overflow(kyo: pd.DataFrame) -> None:
    """6 N D in int64 is wrong on 200 of these rows. Ours is float64 from the start."""
    N, D = kyo.N.to_numpy().astype(np.int64), kyo.D.to_numpy().astype(np.int64)
    with np.errstate(over="ignore"):
        wrapped = 6 * N * D
    exact = np.array([float(6 * int(n) * int(d)) for n, d in zip(N, D, strict=True)])
    assert (wrapped.astype(float) != exact).sum() >= 190
    whole = kyo.assign(N=N, D=D)
    assert kyo.N.dtype == kyo.D.dtype == np.float64
    columns, _ = arrays(whole, ("N", "D"))
    np.testing.assert_allclose(6 * columns["N"] * columns["D"], exact, rtol=1e-15)
    ours = scaling.optimum_estimates(whole)
    np.testing.assert_allclose(
        ours.exponent, scaling.optimum_estimates(kyo.assign(C=exact)).exponent, rtol=1e-9
    )
