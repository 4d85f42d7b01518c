"""On a GPU, where there is one: the same numbers as on a CPU, and a sweep from its plan to its table."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.nn import functional as F

from sweeps.checkpoint import released_format
from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.driver.run_sweep import run_sweep
from sweeps.inspect.generate import Sampling, generate
from sweeps.model import attention
from sweeps.model.blocks import visibility
from sweeps.model.parscale import ParScaleLM
from sweeps.training import compiling, strategies
from sweeps.training.interrupt import Interrupted
from sweeps.training.train import train

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")]

R, T, D = 3, 130, 64
SMALL = ModelConfig(vocab=300, width=128, ffn=352, layers=3, heads=2, kv_heads=1, prefix_tokens=5)
GPU = Execution(threads=1, accelerator="gpu", report_seconds=0.0)


@pytest.fixture(autouse=True)
def exact():
    """Float32 products in float32."""
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(0)


def parts(heads, kv_heads, K, dtype):
    made = torch.Generator().manual_seed(5)
    shapes = ((R, heads, T, D), (R, kv_heads, K + T, D), (R, kv_heads, K + T, D))
    drawn = [torch.randn(shape, generator=made) for shape in shapes]
    return [part.to("cuda", dtype).requires_grad_() for part in drawn]


def with_gradients(attend, q, k, v, *rest):
    out = attend(q, k, v, *rest)
    made = torch.Generator().manual_seed(6)
    out.backward(torch.randn(out.shape, generator=made).to(out))
    return [out.detach(), q.grad, k.grad, v.grad]


@pytest.mark.parametrize("K", [0, 4, 48])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize(("dtype", "error"), [(torch.bfloat16, 0.02), (torch.float32, 1e-4)])
def test_attention_behind_a_prefix_reads_no_mask_and_sees_what_the_mask_says(
    heads, kv_heads, K, dtype, error
):
    assert visibility(T, 0, K, None, torch.device("cuda")) is None
    query, key = torch.arange(T)[:, None], torch.arange(K + T)[None]
    mask = (key <= query + K).cuda()
    low = parts(heads, kv_heads, K, dtype)
    wide = [part.detach().float().requires_grad_() for part in low]
    exact = with_gradients(partial(F.scaled_dot_product_attention, enable_gqa=True), *wide, mask)
    for a, b in zip(with_gradients(attention.attend, *low, None), exact, strict=True):
        assert (a.float() - b).abs().max() < error * b.abs().max()


def gradients(model, ids, mask=None):
    model.zero_grad()
    targets = ids.roll(-1, 1)
    loss = model.loss(ids, targets, attention_mask=mask)
    loss.backward()
    found = {"loss": loss.detach()} | {n: p.grad for n, p in model.named_parameters()}
    return {name: value.cpu().clone() for name, value in found.items()}  # they move with the model


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("P", [1, 3])
def test_loss_and_gradients_are_the_cpus(P, padded):
    model = ParScaleLM(replace(SMALL, P=P))
    ids = torch.randint(300, (4, 70))
    mask = torch.ones(4, 70)
    if padded:
        mask[1, :30] = 0
    wanted = gradients(model, ids, mask if padded else None)
    got = gradients(model.cuda(), ids.cuda(), mask.cuda() if padded else None)
    for name, value in wanted.items():
        assert (got[name] - value).norm() <= 1e-4 * value.norm() + 1e-7, name


def test_weights_drawn_for_a_gpu_are_the_cpus():
    torch.manual_seed(3)
    here = ParScaleLM(replace(SMALL, P=2)).state_dict()
    torch.manual_seed(3)
    with torch.device("cuda"):
        there = ParScaleLM(replace(SMALL, P=2)).state_dict()
    assert all(value.is_cuda for value in there.values())
    assert all(torch.equal(there[name].cpu(), value) for name, value in here.items())


@pytest.mark.parametrize("P", [1, 4])
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_in_bfloat16_with_masks_and_checkpointing_stays_close_and_finite(P):
    torch.compiler.reset()
    model = ParScaleLM(replace(SMALL, P=P)).cuda()
    ids, mask = torch.randint(300, (4, 64)).cuda(), torch.ones(4, 64).cuda()
    mask[2, :20] = 0
    for given in (None, mask):
        exact = gradients(model, ids, given)
        assert compiling.compile_if_possible(model)
        for kept in (False, True):
            model.gradient_checkpointing = kept
            with torch.autocast("cuda", torch.bfloat16):
                low = gradients(model, ids, given)
            assert all(torch.isfinite(value).all() for value in low.values())
            assert abs(float(low["loss"] - exact["loss"])) < 0.01
            norms = [torch.stack([g.norm() for g in some.values()]).norm() for some in (low, exact)]
            assert norms[0] == pytest.approx(norms[1], rel=0.05)
        model.gradient_checkpointing = False


@pytest.mark.parametrize("P", [1, 3])
def test_greedy_continuation_is_the_cpus(P):
    model = ParScaleLM(replace(SMALL, P=P, init_std=0.4)).eval()
    prompts = [[5, 9, 2, 40], [7], [1, 2, 3, 4, 5, 6, 7, 8, 9]]
    wanted = generate(model, prompts, 20, Sampling(temperature=0))
    assert generate(model.cuda(), prompts, 20, Sampling(temperature=0)) == wanted


def run_of(corpus, P=2, **changes):
    run = RunConfig(
        replace(SMALL, P=P), "test", "128x3", seed=3, corpus=corpus, steps=40, batch=4, seq_len=64, lr=5e-3,
        optimizer="muon", muon_lr=1e-2, eval_tokens=4000,
    )  # fmt: skip
    return replace(run, **changes)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_run_learns_what_it_learns_on_a_cpu(corpus, tmp_path, precision):
    run = run_of(corpus, precision=precision)
    here = train(run, tmp_path / "cpu", execution=replace(GPU, accelerator="cpu"))
    there = train(run, tmp_path / "gpu", execution=GPU)
    assert there["loss"] == pytest.approx(here["loss"], abs=0.03)
    assert 0 < there["peak_memory_bytes"] < 2**30
    reloaded = released_format.load_checkpoint(tmp_path / "gpu")
    assert all(torch.isfinite(value).all() for value in reloaded.state_dict().values())


def test_an_interrupted_run_goes_on(corpus, tmp_path):
    run, seen = run_of(corpus), []
    whole = train(run, tmp_path / "whole", execution=GPU)
    stop = {"progress": seen.append, "stop": lambda: bool(seen) and seen[-1]["step"] >= 15}
    with pytest.raises(Interrupted):
        train(run, tmp_path / "cut", execution=GPU, **stop)
    resumed = train(run, tmp_path / "cut", execution=GPU)
    assert resumed["loss"] == pytest.approx(whole["loss"], abs=2e-3)  # atomic sums: not to the bit


def test_a_shard_on_nccl_learns_the_same(corpus, tmp_path, monkeypatch):
    run = run_of(corpus)
    whole = train(run, tmp_path / "whole", execution=GPU)
    one = ModelParallelStrategy(data_parallel_size=1, tensor_parallel_size=1)
    monkeypatch.setattr("sweeps.training.train.strategy_of", lambda execution: one)
    shard, seen = strategies.shard, []
    monkeypatch.setattr(strategies, "shard", lambda model, mesh: seen.append(mesh) or shard(model, mesh))
    sharded = train(run, tmp_path / "sharded", execution=GPU)
    assert [mesh.device_type for mesh in seen] == ["cuda"]
    assert sharded["loss"] == pytest.approx(whole["loss"], abs=2e-3)
    torch.distributed.destroy_process_group()


def test_a_sweep_of_two_workers_on_one_gpu(corpus, tmp_path):
    runs = [run_of(corpus, P) for P in (1, 2, 4)]
    result = run_sweep(runs, tmp_path / "sweep", workers=2, execution=GPU)
    assert result.ok
    assert len(result.table) == 3
    assert result.table["versions"].str.contains(torch.cuda.get_device_name()).all()
    assert not any(math.isnan(loss) for loss in result.table["loss"])
