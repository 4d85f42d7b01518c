"""Samples of a run: the same beginnings at each evaluation, in whole files, numbers where there is no tokenizer."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np

from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM
from sweeps.training.samples import NEW, PROMPT, Samples


def test_what_came_after_a_snapshot_is_written_once_more(one_thread, tmp_path):
    corpus = SimpleNamespace(tokenizer=None, valid=np.arange(200) % 64)
    model = ParScaleLM(ModelConfig(64, 32, 96, 1, 2, 1)).train()
    written = Samples(tmp_path, corpus, 2)
    for step in (5, 10):
        written.write(model, step, nullcontext, [])
    lines = (tmp_path / "samples.jsonl").read_text().splitlines()
    texts = [json.loads(line) for line in lines]
    assert [text["step"] for text in texts] == [5, 5, 10, 10]
    assert [len(texts[1][part].split()) for part in ("prompt", "text")] == [PROMPT, NEW]
    assert texts[0]["text"] == texts[2]["text"]  # the model has not changed, nor have the random numbers
    assert model.training
    again = Samples(tmp_path, corpus, 2, step=5)
    again.write(model, 10, nullcontext, [])
    assert (tmp_path / "samples.jsonl").read_text().splitlines() == lines
