"""Weights as people save them: wrapped names, float8, values that are not finite, sizes edited by hand."""

import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from sweeps.checkpoint import released_format
from sweeps.checkpoint.hf_config import CheckpointError
from sweeps.checkpoint.stream_bank import StreamBank
from sweeps.checkpoint.weight_checks import FLOAT8, choose_dtype, dequantise, official_names
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

TINY = ModelConfig(vocab=61, width=32, ffn=48, layers=2, heads=4, kv_heads=2, prefix_tokens=5)
QUERY = "model.layers.0.self_attn.q_proj.weight"
PREFIX = "model.layers.1.self_attn.prefix_v"

pytestmark = pytest.mark.usefixtures("one_thread")


def saved(folder, change=None, tensors=None, config=None):
    """A model's folder, its tensors passed through `tensors`, its config.json changed by `config`."""
    released_format.save_checkpoint(ParScaleLM(replace(TINY, **(change or {}))), folder)
    if tensors is not None:
        found = tensors(load_file(folder / "model.safetensors"))
        save_file({name: tensor.contiguous() for name, tensor in found.items()}, folder / "model.safetensors")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | (config or {})))
    return folder


def renamed(old, new):
    return lambda tensors: {name.replace(old, new, 1): tensor for name, tensor in tensors.items()}


def edited(**changes):
    """The tensors with some set to a value, or left out where it is None. A double underscore means a dot."""

    def edit(tensors):
        made = tensors | {name.replace("__", "."): value for name, value in changes.items()}
        return {name: value for name, value in made.items() if value is not None}

    return edit


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "module."),
        ("", "_orig_mod."),
        ("", "module._orig_mod."),
        ("", "_fsdp_wrapped_module."),
        ("", "base_model.model."),
        ("", "language_model."),
        ("", "model."),
        ("model.", ""),
        ("model.", "transformer."),
        ("model.", "model.model."),
        ("model.", "model._orig_mod."),
        (".self_attn.", "._checkpoint_wrapped_module.self_attn."),
    ],
)
def test_names_of_wrappers_and_base_classes_are_read(tmp_path, old, new, tied):
    change = {"P": 2, "tied_embeddings": tied}
    torch.manual_seed(1)
    expected = released_format.load_checkpoint(saved(tmp_path / "plain", change))
    torch.manual_seed(1)
    wrapped = saved(tmp_path / "wrapped", change, renamed(old, new))
    found = released_format.load_checkpoint(wrapped)
    state = expected.state_dict()
    assert found.config == expected.config
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.state_dict().items())


def test_names_that_would_meet_are_left(tmp_path):
    several = {"model.embed_tokens.weight": torch.zeros(1), "module.model.embed_tokens.weight": torch.ones(1)}
    assert official_names(several).keys() == several.keys()
    streams = {"embed_tokens.weight": torch.zeros(1), PREFIX: torch.ones(1)}
    assert official_names(streams).keys() == {"model.embed_tokens.weight", PREFIX}
    strange = {"transformer.h.0.attn.c_attn.weight": torch.zeros(1)}
    assert official_names(strange).keys() == strange.keys()


@pytest.mark.parametrize(
    ("change", "tensors", "config", "message"),
    [
        ({}, None, {"parscale_n": 4}, "P.*=.*4.*parscale_n.*1.*--streams.*4"),
        ({"P": 2}, None, {"parscale_n": 4}, "parscale_n.*=.*4.*parscale_n.*=.*2"),
        ({"P": 4}, None, {"parscale_n": 1}, "parscale_n.*=.*1.*parscale_n.*=.*4"),
        ({"P": 2}, None, {"parscale_n_tokens": 48}, "parscale_n_tokens = 48.*parscale_n_tokens = 5"),
        ({}, None, {"num_hidden_layers": 3}, "num_hidden_layers = 3.*num_hidden_layers = 2"),
        ({}, None, {"vocab_size": 64}, "vocab_size.*=.*64.*vocab_size.*=.*61"),
        ({}, None, {"intermediate_size": 40}, "intermediate_size = 40.*intermediate_size = 48"),
        ({}, None, {"tie_word_embeddings": False}, "lm_head.weight"),
        ({"tied_embeddings": False}, None, {"tie_word_embeddings": True}, "lm_head.weight"),
        ({}, None, {"parscale_n": 4, "vocab_size": 64}, "vocab_size.*=.*64.*parscale_n.*=.*4"),
        ({"P": 1, "prefix_at_one": True}, None, {"parscale_prefix_at_one": False}, r"\b4\b"),
        ({}, renamed("mlp.up_proj", "mlp.lora_A"), {}, r"\b4\b(?s:.)*lora_A"),
        (
            {},
            edited(score__weight=torch.zeros(2, 32)),
            {},
            r"\b1\b(?s:.)*score",
        ),
        ({}, renamed("model.", "gpt."), {"parscale_n": 1}, None),
        ({}, lambda t: {f"x{i}": v for i, v in enumerate(t.values())}, {}, r"\b52\b"),
    ],
)
def test_a_configuration_that_does_not_fit_its_weights(tmp_path, change, tensors, config, message):
    folder = saved(tmp_path, change, tensors, config)
    if message is None:
        released_format.load_checkpoint(folder)
        return
    with pytest.raises(CheckpointError, match=message) as caught:
        released_format.load_checkpoint(folder)
    assert len(str(caught.value).splitlines()) <= 11


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [None, torch.float32, torch.bfloat16])
def test_a_tensor_that_is_not_finite_is_named(tmp_path, bad, dtype):
    def spoil(tensors):
        tensors[QUERY][3, 4] = tensors[PREFIX][1] = bad
        return tensors

    with pytest.raises(CheckpointError, match=QUERY) as caught:
        released_format.load_checkpoint(saved(tmp_path, {"P": 2}, spoil), dtype=dtype)
    assert re.search(rf"{re.escape(QUERY)} \(1 .*1,024", str(caught.value))
    assert re.search(rf"{re.escape(PREFIX)} \(80 .*160", str(caught.value))


def test_a_stream_set_that_is_not_finite_is_named(tmp_path):
    bank = StreamBank(ParScaleLM(TINY))
    bank.new(2, 5).attentions[1].prefix_v.data[0, 0, 0, 0] = float("nan")
    bank.save(tmp_path)
    with pytest.raises(CheckpointError, match=r"prefix_v.*1.*160"):
        StreamBank.load(tmp_path)
    with pytest.raises(CheckpointError, match=r"prefix_v.*1.*160"):
        released_format.load_checkpoint(tmp_path / "P2")


def to_float8(kind, ends="", shape=None, only=2):
    """Weights as float8, with a scale for each where `ends` names one."""

    def convert(tensors):
        made = {}
        for name, tensor in tensors.items():
            made[name] = tensor
            if tensor.dim() == only and "proj" in name:
                scale = tensor.abs().max() / 8 * torch.rand(shape(tensor) if shape else ()).add(0.5)
                made[name] = (tensor / spread(scale, tensor)).to(kind)
                if ends:
                    made[name.removesuffix("weight") + ends] = scale
                    made[name.removesuffix("weight") + "input_scale"] = torch.tensor(3.0)
        return made

    return convert


def spread(scale, tensor):
    if scale.dim() < 2:
        return scale if scale.numel() == 1 else scale[:, None]
    sides = [-(-n // parts) for n, parts in zip(tensor.shape, scale.shape, strict=True)]
    whole = scale.repeat_interleave(sides[0], 0).repeat_interleave(sides[1], 1)
    return whole[: tensor.shape[0], : tensor.shape[1]]


@pytest.mark.parametrize("kind", FLOAT8, ids=str)
@pytest.mark.parametrize("ends", ["weight_scale", "weight_scale_inv"])
@pytest.mark.parametrize(
    "shape",
    [None, lambda t: (1,), lambda t: t.shape[:1], lambda t: (len(t), 1), lambda t: (len(t) // 16, 2)],
    ids=["one", "one in a list", "a row", "a row of columns", "a block"],
)
def test_float8_with_a_scale_is_dequantised(tmp_path, kind, ends, shape):
    torch.manual_seed(1)
    whole = saved(tmp_path / "whole")
    torch.manual_seed(1)
    small = released_format.load_checkpoint(saved(tmp_path / "small", {}, to_float8(kind, ends, shape)))
    assert small.head.dtype == torch.float32
    steps = 0.07 if "e4m3" in str(kind) else 0.15  # half a step of 3 or 2 bits of mantissa, and some
    for name, exact in released_format.load_checkpoint(whole).named_parameters():
        found = small.state_dict()[name]
        assert (found - exact).abs().max() <= steps * exact.abs().max()


@pytest.mark.parametrize("kind", FLOAT8, ids=str)
def test_float8_without_a_scale_is_refused_unless_a_type_is_asked_for(tmp_path, kind):
    folder = saved(tmp_path, {}, to_float8(kind))
    with pytest.raises(CheckpointError, match=r"\b14\b.*float8_\w+ .*--dtype float32"):
        released_format.load_checkpoint(folder)
    assert released_format.load_checkpoint(folder, dtype=torch.bfloat16).head.dtype == torch.bfloat16


def test_a_block_s_size_may_be_named(tmp_path):
    weight = torch.ones(6, 6).to(torch.float8_e4m3fn)
    tensors = {"q.weight": weight, "q.weight_scale_inv": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}
    four = dequantise(tensors, "here", {"weight_block_size": [4, 4]})["q.weight"]
    assert four[:, 0].tolist() == [1, 1, 1, 1, 3, 3]
    assert four[0].tolist() == [1, 1, 1, 1, 2, 2]
    assert dequantise(tensors, "here")["q.weight"][:, 0].tolist() == [1, 1, 1, 3, 3, 3]
    with pytest.raises(CheckpointError, match=r"6.*6.*5"):
        dequantise({"q.weight": weight, "q.weight_scale": torch.ones(5)}, "here")


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.bool])
def test_weights_of_integers_are_refused(tmp_path, dtype):
    folder = saved(tmp_path, {}, edited(**{QUERY.replace(".", "__"): torch.ones(32, 32, dtype=dtype)}))
    with pytest.raises(CheckpointError, match=f"1 .*{str(dtype)[6:]}"):
        released_format.load_checkpoint(folder)
    with pytest.raises(CheckpointError, match=r"\b1 .*gptq"):
        dequantise({"q.qweight": torch.ones(2, dtype=dtype)}, "here", {"quant_method": "gptq"})


def test_mixed_precisions_are_computed_in_float32(tmp_path):
    half = edited(**{QUERY.replace(".", "__"): torch.ones(32, 32, dtype=torch.bfloat16)})
    assert released_format.load_checkpoint(saved(tmp_path, {}, half)).head.dtype == torch.float32
    with pytest.raises(CheckpointError, match=r"torch\.int8"):
        choose_dtype({"x": torch.ones(1)}, torch.int8, torch.device("cpu"), "here")
