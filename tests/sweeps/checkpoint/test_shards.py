"""FSDP2: which weights are gathered together."""

import pytest
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.model.parscale import ParScaleLM
from sweeps.training import strategies


@pytest.fixture
def mesh(tmp_path):
    """A mesh of this process alone."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def gathered(model):
    """The parameters that are whole for now."""
    return {name for name, value in model.named_parameters() if not isinstance(value, DTensor)}


def test_each_block_is_a_group_of_its_own(mesh):
    model = ParScaleLM(
        ModelConfig(vocab=300, width=32, ffn=96, layers=3, heads=2, kv_heads=1, P=2, prefix_tokens=4)
    )
    names = {name for name, _ in model.named_parameters()}
    strategies.shard(
        model, mesh, RunConfig(model.config, "test", "32x3", seed=0, corpus="x", steps=1, batch=4, seq_len=16)
    )
    groups = []
    for module in (*model.model.layers, model):
        assert not gathered(model)
        module.unshard()
        groups.append(gathered(model))
        module.reshard()
    of_blocks = [{name for name in names if name.startswith(f"model.layers.{i}.")} for i in range(3)]
    assert groups[:3] == of_blocks
    assert groups[3] == names - set.union(*of_blocks)
