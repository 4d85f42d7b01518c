"""config.json: rotary positions said in several places, windows, what ends a text."""

import json
import math
from dataclasses import replace

import pytest

from sweeps.checkpoint import released_format
from sweeps.checkpoint.hf_config import CheckpointError, end_tokens, from_json, hf_json, read_hf_json
from sweeps.config.model import ModelConfig

TINY = ModelConfig(vocab=61, width=32, ffn=40, layers=2, heads=4, kv_heads=2, qkv_bias=True)
PLAIN = {"rope_type": "default", "rope_theta": 5e5}
YARN = {"factor": 4.0, "original_max_position_embeddings": 16}
READ = [  # rotary positions, and the base that they mean
    ({}, 1e4),
    ({"rope_theta": 5e5}, 5e5),
    ({"rope_theta": 500000}, 5e5),
    ({"rope_parameters": PLAIN}, 5e5),
    ({"rope_parameters": {"rope_theta": 5e5}}, 5e5),
    ({"rope_parameters": PLAIN, "rope_theta": 5e5}, 5e5),
    ({"rope_parameters": PLAIN, "rope_scaling": None}, 5e5),
    ({"rope_parameters": PLAIN, "rope_scaling": {}}, 5e5),
    ({"rope_parameters": PLAIN, "rope_scaling": PLAIN}, 5e5),
    ({"rope_scaling": PLAIN}, 5e5),
    ({"rope_scaling": {"type": "default"}, "rope_theta": 5e5}, 5e5),
    ({"rope_parameters": PLAIN, "rope_scaling": {"type": "default"}, "rope_theta": 5e5}, 5e5),
    ({"rope_scaling": {"type": "linear", "factor": 1.0}, "rope_theta": 5e5}, 5e5),
    ({"rope_parameters": PLAIN | {"type": "default", "partial_rotary_factor": 1.0}}, 5e5),
]


REFUSED = [
    (
        {"rope_parameters": PLAIN, "rope_theta": 1e4},
        "rope_theta = 10000, rope_parameters.rope_theta = 500000",
    ),
    ({"rope_parameters": PLAIN, "rope_scaling": PLAIN | {"rope_theta": 1e6}}, "rope_scaling.rope_theta = 1e"),
    ({"rope_parameters": PLAIN, "rope_scaling": {"type": "default"}}, "which means 10000"),
    ({"rope_parameters": PLAIN, "rope_scaling": YARN | {"rope_type": "yarn"}}, "rope scaling 'yarn'"),
    ({"rope_parameters": YARN | {"rope_type": "yarn", "rope_theta": 5e5}}, "rope scaling 'yarn'"),
    ({"rope_parameters": YARN | {"rope_type": "yarn"}, "rope_scaling": PLAIN}, "rope scaling 'yarn'"),
    ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope scaling 'linear'"),
    ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope scaling 'dynamic'"),
    ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope scaling 'llama3'"),
    ({"rope_scaling": {"type": "su"}}, "rope scaling 'su'"),
    ({"rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}}, "rope scaling 'mrope'"),
    ({"rope_scaling": {"factor": 2.0}}, "factor 2.0 without rope_type"),
    ({"rope_scaling": {"type": "yarn", "rope_type": "default"}}, "rope_type 'default' and type 'yarn'"),
    ({"rope_parameters": {"full_attention": PLAIN}}, "rope_parameters by kinds of layers"),
    ({"rope_parameters": PLAIN | {"partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
    ({"rope_theta": "1e6"}, "rope_theta must be a positive number, got '1e6'"),
    ({"rope_theta": 0}, "rope_theta must be a positive number, got 0"),
    ({"rope_theta": math.inf}, "must be a positive number, got inf"),
    ({"rope_parameters": {"rope_theta": True}}, "must be a positive number, got True"),
    ({"rope_parameters": "default"}, "must be an object, got str as rope_parameters"),
]


def about(change):
    """A plain Qwen2's config.json that says nothing of rotary positions but `change`."""
    written = hf_json(TINY, "float32") | {"max_position_embeddings": 64}
    del written["rope_theta"]
    return written | change


@pytest.mark.parametrize(("change", "base"), READ)
def test_rotary_positions_are_read_as_transformers_reads_them(change, base):
    assert from_json(about(change)).rope_base == base
    transformers = pytest.importorskip("transformers")
    theirs = transformers.Qwen2Config.from_dict(json.loads(json.dumps(about(change))))
    assert theirs.rope_parameters["rope_theta"] == base
    assert theirs.rope_parameters["rope_type"] == "default" or theirs.rope_parameters["factor"] == 1


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_other_rotary_positions_are_refused_by_name(change, message):
    with pytest.raises(CheckpointError, match=message):
        from_json(about(change))


@pytest.mark.parametrize(
    ("change", "windows"),
    [
        ({"use_sliding_window": False, "sliding_window": 8}, False),
        ({"use_sliding_window": True, "sliding_window": None}, False),
        ({"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 2}, False),
        ({"use_sliding_window": True, "sliding_window": 8, "layer_types": ["full_attention"] * 2}, False),
        ({"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}, True),
        ({"use_sliding_window": True, "sliding_window": 8, "max_window_layers": "all"}, True),
        ({"layer_types": ["full_attention", "sliding_attention"]}, True),
    ],
)
def test_sliding_windows(change, windows):
    if windows:
        with pytest.raises(CheckpointError, match=r"sliding_window|layer_types|sliding"):
            from_json(about(change))
    else:
        assert from_json(about(change)).layers == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["Qwen2ForSequenceClassification"]}, "Qwen2ForSequenceClassification"),
        ({"num_key_value_heads": 0}, "num_key_value_heads"),
        ({"max_position_embeddings": -1}, "max_position_embeddings"),
        ({"head_dim": 2.5}, "head_dim"),
        ({"model_type": "qwen3_moe", "norm_topk_prob": True}, "moe_intermediate_size"),
        ({"model_type": None}, "model_type.*None"),
        ({"rms_norm_eps": "small"}, "norm_eps='small'"),
    ],
)
def test_what_cannot_be_built_is_named(change, message):
    with pytest.raises(CheckpointError, match=message):
        from_json(about(change))


def test_streams_that_say_no_smoothing_have_the_released_one():
    written = about({"parscale_n": 4})
    del written["parscale_attn_smooth"]
    assert from_json(written).smoothing == 0.01
    assert from_json(written | {"parscale_n": 1}).smoothing == 0.1
    assert from_json(written | {"hidden_act": "swish", "architectures": "Qwen2ForCausalLM"}).P == 4


@pytest.mark.parametrize(
    ("config", "generation", "ends"),
    [
        ({}, None, ()),
        ({"eos_token_id": 7}, None, (7,)),
        ({"eos_token_id": [7, 9]}, None, (7, 9)),
        ({"eos_token_id": 7}, {"eos_token_id": [9, 11]}, (9, 11)),
        ({"eos_token_id": 7}, {"eos_token_id": 9}, (9,)),
        ({"eos_token_id": 7}, {"temperature": 0.7}, (7,)),
        ({"eos_token_id": 7}, {"eos_token_id": None}, (7,)),
        ({"eos_token_id": None}, {"eos_token_id": 0}, (0,)),
        ({"eos_token_id": -1}, None, ()),
    ],
)
def test_end_tokens(tmp_path, config, generation, ends):
    (tmp_path / "config.json").write_text(json.dumps(config))
    if generation is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    assert end_tokens(tmp_path) == ends


@pytest.mark.parametrize("wrong", ["<|endoftext|>", 2.0, [7, None], True, {"id": 7}])
def test_an_end_that_is_no_token(tmp_path, wrong):
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": wrong}))
    with pytest.raises(CheckpointError, match=r"generation_config.json.*eos_token_id"):
        end_tokens(tmp_path)


def test_folders_that_are_no_checkpoint(tmp_path):
    for path, why in ((tmp_path, "config.json"), (tmp_path / "none", "none")):
        with pytest.raises(CheckpointError, match=why):
            read_hf_json(path / "config.json")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        read_hf_json(tmp_path / "model.safetensors" / "config.json")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="adapter"):
        read_hf_json(tmp_path / "config.json")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "model_type.*'llama'.*qwen2"),
        ({"hidden_size": None}, "hidden_size"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"rope_scaling": ["yarn"]}, "rope.*list"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "'yarn'"),
        (
            {"layer_types": ["sliding_attention"], "hidden_act": "gelu"},
            "hidden_act.*'gelu'",
        ),
        ({"parscale_n": 0}, r"\bP\b.*1.*0"),
        ({"num_key_value_heads": 3}, "kv_heads.*=.*3.*=.*4"),
    ],
)
def test_wrong_config(p2, change, message):
    path = p2 / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=message):
        released_format.load_checkpoint(p2)


SMALL = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5)


@pytest.mark.usefixtures("one_thread")
def test_defaults_of_the_released_configurations():
    about = hf_json(replace(SMALL, P=2), "float32")
    del about["parscale_n_tokens"], about["parscale_attn_smooth"]
    config = from_json(about)
    assert (config.prefix_tokens, config.smoothing) == (48, 0.01)
