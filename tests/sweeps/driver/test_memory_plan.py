"""The planned memory of a step: more with the batch, less with checkpointing and shards. Also the micro-batches that fit."""

from dataclasses import replace

import pytest
import torch

from sweeps.config.execution import Execution
from sweeps.driver.memory_plan import all_fitted, fitted, memory_bytes, step_memory
from sweeps.grids.grids import Axes, find
from sweeps.model.parscale import ParScaleLM

(PAPER,) = find("paper")(Axes(sizes=("4.4B",), streams=(8,), corpora=("pile",)))
SHARED = Execution(devices=8, num_nodes=8, strategy="fsdp2")
GIB = 2**30


@pytest.mark.parametrize(
    ("P", "precision", "checkpointing"),
    [(1, "float32", 0), (2, "float32", 1), (1, "bf16", 1), (1, "bf16", 2)],
)
def test_what_a_sequence_keeps_is_what_the_model_saves(P, precision, checkpointing, monkeypatch):
    """Storages that autograd holds when the backward pass begins, for one more sequence of 64 tokens."""
    (run,) = find("ci")(Axes(sizes=("64x6",), streams=(P,)))
    run = replace(run, precision=precision, model=replace(run.model, prefix_tokens=1))
    model = ParScaleLM(run.model)
    model.gradient_checkpointing = checkpointing
    hooks_of, held = torch.autograd.graph.saved_tensors_hooks, {}

    def keep(tensor):
        return held.setdefault(id(tensor), tensor)

    recording = lambda pack, unpack: hooks_of(lambda tensor: keep(pack(tensor)), unpack)  # noqa: E731
    monkeypatch.setattr(torch.autograd.graph, "saved_tensors_hooks", recording)  # the model's own

    def kept(rows):
        held.clear()
        ids = torch.zeros(rows, 65, dtype=torch.long)
        hooks = hooks_of(keep, lambda t: t)
        with hooks, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            model.loss(ids[:, :-1], ids[:, 1:])
        return sum(
            {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in held.values()}.values()
        )

    ffn, layer = run.model.ffn, 0.0
    one = step_memory(run, Execution(gradient_checkpointing=checkpointing)).sequence
    wide = 4 if precision == "float32" else 2
    later = 64 * P * (4 * 64 + wide * 2 * ffn)  # comes with the backward pass
    if checkpointing:
        m = run.model
        values = 2 * m.width + 2 * m.heads * m.head_size + 2 * m.kv_heads * m.head_size + 3 * ffn
        layer = 64 * P * (8 * m.width + wide * values)
    assert one - later - layer == pytest.approx(kept(3) - kept(2), rel=0.12)


def test_the_plan_follows_the_batch_the_shards_and_the_optimizer():
    plan = step_memory(PAPER, SHARED)
    assert plan.of(2) - plan.of(1) == plan.sequence
    assert step_memory(PAPER, replace(SHARED, gradient_checkpointing=True)).sequence < plan.sequence / 5
    assert step_memory(PAPER, Execution()).fixed > 5 * plan.fixed
    assert (
        step_memory(replace(PAPER, optimizer="muon"), Execution()).fixed
        < step_memory(PAPER, Execution()).fixed
    )
    assert step_memory(replace(PAPER, precision="float32"), SHARED).sequence > plan.sequence


def test_the_fewest_micro_batches_that_fit_are_taken():
    lean = replace(SHARED, gradient_checkpointing=True)
    assert fitted(PAPER, SHARED, 80e9) is None
    run = fitted(PAPER, lean, 80e9)
    assert run.identity == PAPER.identity

    def takes(accumulate):
        split = replace(PAPER, accumulate=accumulate)
        return step_memory(split, lean).of(PAPER.batch // 64 // accumulate)

    assert takes(run.accumulate) <= 0.9 * 80e9 < takes(run.accumulate // 2)
    assert fitted(replace(PAPER, accumulate=8), lean, 80e9).accumulate == 8
    with pytest.raises(ValueError, match=r"4\.4B P=8 .*\d+.* GiB"):
        all_fitted([PAPER], SHARED, 80e9)


def test_sizes_are_read():
    assert [memory_bytes(text) for text in ("80GB", "40gib", "1.5 TB")] == [80e9, 40 * GIB, 1.5e12]
    assert memory_bytes("80") != memory_bytes("80")  # no unit, no size
