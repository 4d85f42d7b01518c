"""`parscale export`: a checkpoint written for this machine."""

import re

import torch

from sweeps.checkpoint.hf_config import end_tokens
from sweeps.checkpoint.released_format import load_checkpoint, save_checkpoint
from tests.sweeps.plain_checkpoint import call


def test_a_float16_checkpoint_can_be_written_as_one_for_this_machine(checkpoint, tmp_path, capsys):
    save_checkpoint(load_checkpoint(checkpoint), tmp_path / "half", dtype=torch.float16)
    assert call("export", tmp_path / "half", "--out", tmp_path / "none") == 2
    assert re.search(r"float16.*CPU", capsys.readouterr().err)
    assert call("export", tmp_path / "half", "--out", tmp_path / "whole", "--dtype", "float32") == 0
    assert load_checkpoint(tmp_path / "whole").head.dtype == torch.float32


def test_an_exported_run_says_where_its_texts_end(checkpoint, tmp_path):
    assert end_tokens(checkpoint) == ()
    assert call("export", checkpoint, "--out", tmp_path / "out") == 0
    assert end_tokens(tmp_path / "out") == (0,)
    (checkpoint / "tokenizer.json").unlink()
    assert call("export", checkpoint, "--out", tmp_path / "bare") == 0
    assert end_tokens(tmp_path / "bare") == ()
