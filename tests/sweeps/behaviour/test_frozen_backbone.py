"""Runs that share one frozen backbone: trained, resumed, loaded together."""

from dataclasses import replace

import pytest
import torch

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.checkpoint.stream_bank import StreamBank
from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.recipes import apply
from sweeps.model.blocks import is_extra
from sweeps.training import snapshots
from sweeps.training.interrupt import Interrupted
from sweeps.training.train import train
from tests.sweeps.plain_checkpoint import call

ONE = Execution(threads=1, accelerator="cpu", report_seconds=0.0)


@pytest.fixture(scope="module")
def frozen(corpus, tmp_path_factory):
    """A backbone, and two peft runs on it: (base, {P: its folder}, {P: its configuration})."""
    place = tmp_path_factory.mktemp("sweep")
    model = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1, prefix_tokens=4)
    run = RunConfig(model, "test", "32x2", 3, corpus, steps=8, batch=4, seq_len=32, eval_tokens=2000)
    train(run, place / "base", execution=ONE)
    axes = Axes(recipe="peft", base=str(place / "base"))
    of_P = {P: apply([replace(run, model=replace(model, P=P))], axes)[0] for P in (2, 4)}
    runs = {P: replace(one, parent_hash="0123456789abcdef" * 4) for P, one in of_P.items()}
    return place, {P: replace(one, parent_hash="") for P, one in runs.items()}


@pytest.mark.slow
def test_runs_on_a_frozen_backbone_share_its_file(frozen, capsys):
    place, runs = frozen
    for P, run in runs.items():
        seen = []
        stop = {"progress": seen.append, "stop": lambda seen=seen: bool(seen) and seen[-1]["step"] >= 4}
        folder = place / "checkpoints" / f"P{P}"
        with pytest.raises(Interrupted):
            train(run, folder, execution=ONE, **stop)
        snapshot, _ = snapshots.latest(folder)
        kept = torch.load(snapshot, weights_only=True)
        assert all(is_extra(name) for name in kept["state_dict"])
        assert len(kept["optimizer_states"][0]["state"]) == len(kept["state_dict"])
        row = train(run, folder, execution=ONE)
        straight = train(run, place / "straight" / f"P{P}", execution=ONE)
        assert row["loss"] == straight["loss"]
    weights = sorted(path.relative_to(place) for path in (place / "checkpoints").glob("*/*.safetensors"))
    assert [path.name for path in weights] == ["streams.safetensors"] * 2 + ["model.safetensors"]
    backbone = weights[-1].parent
    bank, ids = StreamBank.load(place / backbone), torch.randint(300, (2, 9))
    for P in runs:
        model = load_checkpoint(place / "checkpoints" / f"P{P}")
        assert torch.equal(model(ids), bank(ids, P=P))
        assert torch.equal(model.head, load_checkpoint(place / "base").head)
    call("generate", place / backbone, "--prompt", "ba", "--streams", 4, "--max-tokens", 2)
    assert capsys.readouterr().out.strip()
