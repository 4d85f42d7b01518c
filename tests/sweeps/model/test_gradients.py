"""Training: where it starts, reparameterised prefixes, several sets on one backbone, and the four things
users of the released model stumbled on: masks, padding, gradient checkpointing, torch.compile."""

import heapq
import logging
import math
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sweeps.checkpoint import released_format
from sweeps.checkpoint.hf_config import CheckpointError
from sweeps.checkpoint.stream_bank import StreamBank
from sweeps.config.model import ModelConfig
from sweeps.model.blocks import is_extra
from sweeps.model.parscale import ParScaleLM
from sweeps.model.stream_initialisation import merge, quiet_streams, reparameterise
from sweeps.training import compiling

TINY = ModelConfig(vocab=256, width=32, ffn=64, layers=2, heads=4, kv_heads=2, prefix_tokens=6)
TEXT = Path(textwrap.__file__).read_text() + Path(heapq.__file__).read_text()  # does not change with our code
DATA = torch.tensor(list(TEXT.encode()), dtype=torch.long)


pytestmark = pytest.mark.usefixtures("one_thread")


def batch(rows=8, tokens=48):
    starts = torch.randint(len(DATA) - tokens - 1, (rows,)).tolist()
    return torch.stack([DATA[s : s + tokens + 1] for s in starts])


def train(model, steps, autocast=False, masked=False, lr=3e-3):
    """The losses of AdamW on the text; with `masked`, rows end in padding of every length."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    losses = []
    for _ in range(steps):
        ids, mask = batch(), None
        if masked:
            mask = torch.arange(48)[None] >= torch.randint(0, 47, (8, 1))  # one row may be nearly empty
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = model.loss(ids[:, :-1], ids[:, 1:], attention_mask=mask)
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        assert math.isfinite(norm)
        optimiser.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses))
    return losses


def gradients(model, ids, mask=None):
    model.zero_grad()
    loss = model.loss(ids[:, :-1], ids[:, 1:], attention_mask=mask)
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()} | {"loss": loss.detach()}


@pytest.mark.parametrize("P", [1, 4])
@pytest.mark.parametrize("setting", ["plain", "masked", "checkpointing", "bf16"])
def test_training_is_finite_and_learns(P, setting):
    model = ParScaleLM(replace(TINY, P=P)).train()
    model.gradient_checkpointing = setting == "checkpointing"
    losses = train(model, 25, autocast=setting == "bf16", masked=setting == "masked")
    assert losses[-1] < losses[0] - 0.8


@pytest.mark.parametrize("P", [1, 3])
def test_padding_enters_neither_loss_nor_gradient(P):
    model, ids = ParScaleLM(replace(TINY, P=P)), batch(2, 12)
    padded = torch.cat([torch.zeros(2, 5, dtype=torch.long), ids], dim=1)
    mask = torch.cat([torch.zeros(2, 5), torch.ones(2, 12)], dim=1)  # of the inputs
    got, wanted = gradients(model, padded, mask), gradients(model, ids)
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("P", [1, 3])
def test_wholly_padded_row_is_harmless(P):
    model, ids = ParScaleLM(replace(TINY, P=P)), batch(3, 12)
    mask = torch.ones(3, 12)
    mask[1] = 0
    got, wanted = gradients(model, ids, mask), gradients(model, ids[[0, 2]])
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("P", [1, 3])
def test_gradient_checkpointing_changes_nothing(P):
    model, ids = ParScaleLM(replace(TINY, P=P)), batch(2, 12)
    plain = gradients(model, ids)
    model.gradient_checkpointing = True
    torch.testing.assert_close(gradients(model, ids), plain)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler's own peeking
def test_compiled_with_masks_and_checkpointing_is_the_same():
    if compiling.cxx_compiler() is None:
        pytest.skip("no C++ compiler")
    torch.compiler.reset()
    model, ids = ParScaleLM(replace(TINY, P=3, layers=1)), batch(2, 12)
    mask = torch.ones(2, 12)
    mask[0, :4] = 0
    masked = gradients(model, ids, mask)
    assert compiling.compile_if_possible(model)
    model.gradient_checkpointing = True
    torch.testing.assert_close(gradients(model, ids, mask), masked, atol=1e-5, rtol=1e-3)


def test_no_compiler_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(compiling, "cxx_compiler", lambda: None)
    compiling._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not compiling.compile_if_possible(ParScaleLM(TINY))
        assert not compiling.compile_if_possible(ParScaleLM(TINY))
    assert [record.getMessage() for record in caplog.records] == [
        "training runs eagerly: torch.compile needs a C++ compiler (set CXX or install g++)"
    ]


@pytest.fixture(scope="module")
def trained():
    """A small backbone that has learnt something."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = ParScaleLM(TINY)
    train(model, 150)
    return model.eval()


@torch.no_grad()
def held_out(model):
    with torch.random.fork_rng():
        torch.manual_seed(99)
        texts = [batch(16, 64) for _ in range(6)]
    return sum(model.loss(ids[:, :-1], ids[:, 1:]).item() for ids in texts) / len(texts)


@pytest.mark.slow
@pytest.mark.parametrize("P", [2, 5])
def test_quiet_start_is_the_backbones_loss(trained, P):
    base = held_out(trained)
    assert base < 3.5  # of ln 256 = 5.5
    grown = released_format.grow(trained, P, prefix_tokens=48)
    shares = quiet_streams(grown, batch(16, 64))
    assert abs(held_out(grown) - base) < 1e-3
    assert shares.shape == (2, 2)
    assert shares.max() < 0.2
    train(grown, 15, lr=1e-3)
    prefix = grown.attentions[0].prefix_v.detach()
    assert not torch.allclose(prefix[0], prefix[1])
    assert held_out(grown) < base


def test_quiet_needs_streams(trained):
    with pytest.raises(ValueError, match="P = 1 has no streams"):
        quiet_streams(ParScaleLM(TINY), batch())


def test_reparameterised_prefix(tmp_path):
    model, ids = ParScaleLM(replace(TINY, P=3)), batch(2, 12)
    model.requires_grad_(False)
    before = model(ids)
    reparameterise(model, width=16)
    torch.testing.assert_close(model(ids), before)
    train(model, 5)
    trained = model(ids)
    assert not torch.allclose(trained, before, atol=1e-4)
    released_format.save_checkpoint(model, tmp_path)
    torch.testing.assert_close(released_format.load_checkpoint(tmp_path)(ids), trained)
    merge(model)
    assert set(model.state_dict()) == set(ParScaleLM(model.config).state_dict())
    torch.testing.assert_close(model(ids), trained)


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
    train(bank.at(5), 5)
    assert torch.equal(trained.head, frozen)
    bank.save(tmp_path)
    loaded = StreamBank.load(tmp_path)
    for P in (1, 2, 5):
        assert torch.equal(loaded(ids, P=P), bank(ids, P=P))
    assert loaded.memory_bytes == bank.memory_bytes
    with pytest.raises(ValueError, match="no set for P = 3 here: there are 1, 2, 5"):
        bank(ids, P=3)
    with pytest.raises(ValueError, match="different backbones"):
        bank.add(ParScaleLM(replace(TINY, width=40, P=2)))


def test_set_of_another_backbone_is_refused(trained, tmp_path):
    bank = StreamBank(trained)
    bank.new(2)
    bank.save(tmp_path)
    released_format.save_checkpoint(ParScaleLM(replace(TINY, layers=3)), tmp_path)
    with pytest.raises(CheckpointError, match=r"extra model.layers.2"):
        StreamBank.load(tmp_path)
