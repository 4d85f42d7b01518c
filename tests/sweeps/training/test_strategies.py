"""One run on two devices has the loss of one device, through DDP and FSDP2, also when stopped, killed and resumed."""

import re
import threading
import time
from dataclasses import replace
from multiprocessing import forkserver

import psutil
import pytest
import torch
import torch.distributed as dist

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.driver import ranks
from sweeps.driver.clusters.node_mailbox import VARIABLE, NodeMailbox
from sweeps.driver.ranks import serve_node
from sweeps.training import strategies
from sweeps.training.interrupt import Interrupted
from sweeps.training.lightning_module import build_model
from sweeps.training.snapshots import step_of
from sweeps.training.train import train
from tests.sweeps import small_run
from tests.sweeps.small_run import ONE


@pytest.fixture(scope="module", autouse=True)
def new_server():
    """A fork server that imports torch: one of an earlier test may have imported something else."""
    forkserver._forkserver._stop()


def config(corpus, **changes):
    return small_run.config(corpus, P=2, **{"steps": 20} | changes)


@pytest.fixture(scope="module")
def alone(corpus, tmp_path_factory):
    """One process's row and model."""
    folder = tmp_path_factory.mktemp("alone")
    return train(config(corpus), folder, execution=ONE), load_checkpoint(folder).state_dict()


def assert_same(row, folder, alone):
    for name in ("loss", "loss_se", "train_loss"):
        assert row[name] == pytest.approx(alone[0][name], abs=1e-5), name
    ours = load_checkpoint(folder).state_dict()
    assert ours.keys() == alone[1].keys()
    assert max(float((ours[name] - value).abs().max()) for name, value in alone[1].items()) < 1e-3


@pytest.fixture
def mesh():
    """A mesh of this process alone."""
    from torch.distributed.device_mesh import init_device_mesh

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def test_a_sharded_model_is_drawn_as_a_whole_one_and_gathered_in_bfloat16(mesh):
    run = config("corpus", precision="bf16")
    whole = build_model(run)
    with torch.device("meta"):
        model = build_model(run)
    strategies.shard(model, mesh, run)
    for ours, theirs in zip(model.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours.full_tensor(), theirs)
    seen, block = [], model.model.layers[1]
    block.register_forward_pre_hook(
        lambda block, args: seen.extend([args[0].dtype, block.mlp.up_proj.weight.dtype])
    )
    ids = torch.arange(32).view(2, 16)
    strategy = strategies.Sharded(data_parallel_size=1, tensor_parallel_size=1)
    strategy.model = torch.nn.ModuleList([model])  # as Lightning wraps it
    with torch.autocast("cpu", torch.bfloat16):
        with strategy.block_backward_sync():
            model.loss(ids, ids).backward()
        assert all(parameter.grad is None for parameter in model.parameters())
        for network in (model, whole, whole):
            network.loss(ids, ids).backward()
    assert seen == [torch.float32, torch.bfloat16] * 2  # the residual stream, and a weight
    ours, theirs = model.model.layers[0].mlp, whole.model.layers[0].mlp
    gradient, wanted = ours.up_proj.weight.grad.full_tensor(), theirs.up_proj.weight.grad
    assert gradient.dtype == torch.float32
    assert float((gradient - wanted).norm() / wanted.norm()) < 0.02


@pytest.mark.slow
def test_two_shards_of_muon_have_the_loss_of_one_even_interrupted(corpus, tmp_path):
    run = config(corpus, optimizer="muon", muon_lr=1e-2)
    alone = train(run, tmp_path / "alone", execution=ONE)
    two, seen = replace(ONE, devices=2, strategy="fsdp2"), []
    stop = {"progress": seen.append, "stop": lambda: bool(seen) and seen[-1]["step"] >= 5}
    with pytest.raises(Interrupted):
        train(run, tmp_path / "two", execution=two, **stop)
    row = train(run, tmp_path / "two", execution=two)
    assert row["loss"] == pytest.approx(alone["loss"], abs=1e-4)


@pytest.mark.slow
def test_two_shards_have_the_loss_of_one_even_interrupted(corpus, alone, tmp_path):
    two = replace(ONE, devices=2, strategy="fsdp2")
    seen = []
    with pytest.raises(Interrupted):
        train(
            config(corpus),
            tmp_path,
            execution=two,
            progress=seen.append,
            stop=lambda: bool(seen) and seen[-1]["step"] >= 5,
        )
    left = list(tmp_path.glob("step-*.ckpt"))
    assert len(left) == 1
    assert left[0].is_dir()
    newer = (
        tmp_path / "step-000000019-0123456789abcdef.ckpt"
    )  # which no rank may choose, or set aside for another
    newer.write_bytes(b"damaged")
    said = []
    row = train(config(corpus), tmp_path, execution=two, report=said.append)
    assert newer.name in said[0]
    assert f"step {step_of(left[0])}" in said[1]
    assert_same(row, tmp_path, alone)


@pytest.mark.slow
def test_four_processes_resume_to_the_bit(corpus, tmp_path):
    """DDP groups gradients again after its first backward pass: four ranks would add up in another order after a resume."""
    run, four, seen = config(corpus), replace(ONE, devices=4), []
    whole = train(run, tmp_path / "whole", execution=four)
    stop = {"progress": seen.append, "stop": lambda: bool(seen) and seen[-1]["step"] >= 5}
    with pytest.raises(Interrupted):
        train(run, tmp_path / "broken", execution=four, **stop)
    row = train(run, tmp_path / "broken", execution=four)
    assert [row[name] for name in ("loss", "train_loss")] == [whole[name] for name in ("loss", "train_loss")]


@pytest.fixture
def started(monkeypatch):
    """The ranks started last: {node: [children]}."""
    last, start = {}, ranks.start

    def record(pool, spec, node):
        last[node] = start(pool, spec, node)
        return last[node]

    monkeypatch.setattr(ranks, "start", record)
    return last


@pytest.mark.slow
def test_a_rank_that_dies_starts_all_again_from_the_last_snapshot(corpus, started, tmp_path):
    two = replace(ONE, devices=2, checkpoint_minutes=0.01)
    run, said = config(corpus, steps=120), []

    def kill():
        while not list(tmp_path.glob("step-*.ckpt")):
            time.sleep(0.02)
        psutil.Process(started[0][1].process.pid).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    row = train(run, tmp_path, execution=two, report=said.append)
    killer.join()
    assert row["status"] == "ok"
    assert any(re.search(r"\bstep \d", line) for line in said)


@pytest.mark.slow
def test_two_nodes_have_the_loss_of_one_even_when_the_second_loses_a_rank(
    corpus, alone, started, tmp_path, monkeypatch
):
    mailbox = NodeMailbox(tmp_path / "mailbox")
    monkeypatch.setenv(VARIABLE, str(mailbox.folder))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    second = threading.Thread(target=serve_node, args=(mailbox, 1))
    second.start()
    killed = []

    def kill(now):
        if not killed and now["step"] >= 5:
            killed.append(started[1][0].process.pid)
            psutil.Process(killed[0]).kill()

    two = replace(ONE, num_nodes=2, checkpoint_minutes=0.001)
    try:
        row = train(config(corpus), tmp_path / "run", execution=two, progress=kill)
    finally:
        mailbox.close()
        second.join()
    assert killed
    assert_same(row, tmp_path / "run", alone)


@pytest.mark.slow
def test_a_run_goes_on_under_another_strategy(corpus, alone, tmp_path):
    """One device, then two shards, then two copies, then one device: each from the snapshot before."""
    ways = [ONE, *(replace(ONE, devices=2, strategy=name) for name in ("fsdp2", "ddp"))]
    for execution, step in zip(ways, (4, 8, 12), strict=True):
        seen = []
        with pytest.raises(Interrupted):
            train(
                config(corpus),
                tmp_path,
                execution=execution,
                progress=seen.append,
                stop=lambda seen=seen, step=step: bool(seen) and seen[-1]["step"] >= step,
            )
    assert sorted(path.is_dir() for path in tmp_path.glob("step-*.ckpt")) == [False, True]
    assert_same(train(config(corpus), tmp_path, execution=ONE), tmp_path, alone)
