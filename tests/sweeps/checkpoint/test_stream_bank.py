"""One backbone and several sets of streams, in memory and on disk."""

from dataclasses import replace

import pytest
import torch

from sweeps.checkpoint import released_format
from sweeps.checkpoint.hf_config import CheckpointError
from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.checkpoint.stream_bank import StreamBank, save_apart
from sweeps.model.blocks import is_extra
from sweeps.model.parscale import ParScaleLM
from tests.sweeps.plain_checkpoint import PLAIN
from tests.sweeps.small_text import TINY, batch, train_on_text


def test_two_sets_for_one_P_are_not_chosen_between(tmp_path, one_thread):
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text("{}")
    model = ParScaleLM(replace(PLAIN, P=2))
    for name in ("one", "two"):
        save_apart(model, tmp_path / "runs" / name, "backbone-x", tokenizer)
    with pytest.raises(CheckpointError, match=r"P.*=.*2.*load"):
        StreamBank.load(tmp_path / "runs" / "backbone-x")
    assert torch.equal(load_checkpoint(tmp_path / "runs" / "two").head, model.head)
    (tmp_path / "runs" / "one" / "streams.safetensors").write_bytes(b"damaged")  # a neighbour's fault
    assert StreamBank.load(tmp_path / "runs" / "backbone-x").at(2).config == model.config


@pytest.fixture(scope="module")
def trained():
    """A small backbone that has learnt something."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = ParScaleLM(TINY)
    train_on_text(model, 150)
    return model.eval()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_one_backbone_several_sets(trained, tmp_path):
    bank, ids = StreamBank(trained), batch(2, 12)
    alone = bank.memory_bytes
    assert alone == 4 * sum(p.numel() for p in trained.parameters())
    sets = {P: bank.new(P, prefix_tokens=6) for P in (2, 5)}
    extras = sum(
        p.nbytes for model in sets.values() for name, p in model.named_parameters() if is_extra(name)
    )
    assert bank.memory_bytes == alone + extras
    torch.testing.assert_close(bank(ids, P=1), trained(ids))
    for P, model in sets.items():
        assert torch.equal(bank(ids, P=P), model(ids))
        assert model.head.data_ptr() == trained.head.data_ptr()
    frozen = trained.head.clone()
    train_on_text(bank.at(5), 5)
    assert torch.equal(trained.head, frozen)
    bank.save(tmp_path)
    loaded = StreamBank.load(tmp_path)
    for P in (1, 2, 5):
        assert torch.equal(loaded(ids, P=P), bank(ids, P=P))
    assert loaded.memory_bytes == bank.memory_bytes
    with pytest.raises(ValueError, match=r"P.*=.*3.*1.*2.*5"):
        bank(ids, P=3)
    with pytest.raises(ValueError, match="embed_tokens"):
        bank.add(ParScaleLM(replace(TINY, width=40, P=2)))


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_set_of_another_backbone_is_refused(trained, tmp_path):
    bank = StreamBank(trained)
    bank.new(2)
    bank.save(tmp_path)
    released_format.save_checkpoint(ParScaleLM(replace(TINY, layers=3)), tmp_path)
    with pytest.raises(CheckpointError, match=r"model.layers.2"):
        StreamBank.load(tmp_path)
