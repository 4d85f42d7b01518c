"""Checkpoints as commands load and write them."""

from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from parscale.cli.train.checkpoints import WeightOptions, write_export
from sweeps.checkpoint import released_format
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

TINY = ModelConfig(vocab=12, width=32, ffn=96, layers=1, heads=2, kv_heads=1, prefix_tokens=4)


def test_the_type_of_the_weights_is_their_own_unless_one_is_asked_for():
    assert WeightOptions().torch_dtype is None
    assert WeightOptions(dtype="bfloat16").torch_dtype == torch.bfloat16
    assert WeightOptions(dtype="float32").torch_dtype == torch.float32


@pytest.fixture
def model(one_thread):
    return ParScaleLM(TINY)


@pytest.mark.parametrize("tokenizer", [True, False])
def test_a_model_is_written_with_the_tokenizer_that_there_is(model, tmp_path, capsys, tokenizer):
    (tmp_path / "source").mkdir()
    if tokenizer:
        Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a")).save(
            str(tmp_path / "source" / "tokenizer.json")
        )
    assert write_export(model, str(tmp_path / "source"), str(tmp_path / "out")) == 0
    assert str(tmp_path / "out") in capsys.readouterr().out
    assert torch.equal(released_format.load_checkpoint(tmp_path / "out").head, model.head)
    assert (tmp_path / "out" / "tokenizer.json").exists() == tokenizer


@pytest.mark.parametrize("other", ["source", "source/../source", "link"])
def test_a_checkpoint_is_not_written_over_itself_by_any_name(model, tmp_path, other):
    released_format.save_checkpoint(model, tmp_path / "source")
    (tmp_path / "source" / "row.json").write_text("of the run")
    (tmp_path / "link").symlink_to(tmp_path / "source")
    before = (tmp_path / "source" / "model.safetensors").stat().st_mtime_ns
    with pytest.raises(ValueError, match=r"row\.json"):
        write_export(model, str(tmp_path / "source"), str(tmp_path / other))
    assert (tmp_path / "source" / "model.safetensors").stat().st_mtime_ns == before


def test_the_line_at_the_end_says_how_the_export_opens(model, tmp_path, capsys):
    write_export(model, str(tmp_path), str(tmp_path / "one"))
    shown = capsys.readouterr()
    assert f"from_pretrained('{tmp_path / 'one'}')" in shown.out
    assert "config.json" in shown.err  # no run says how long its texts are
    several = ParScaleLM(replace(TINY, P=2, context=32))
    write_export(several, str(tmp_path), str(tmp_path / "two"))
    shown = capsys.readouterr()
    assert f"from_pretrained('{tmp_path / 'two'}', trust_remote_code=True)" in shown.out
    assert shown.err == ""
