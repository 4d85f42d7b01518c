"""Sweeps fed from tokens and from mixtures: killed and resumed to the bit, moved, and read without their text."""

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import parscale
from scaling import read_runs
from sweeps.corpora import build as corpora
from sweeps.corpora.encoding import Encoder
from sweeps.corpora.tokens import train_tokenizer
from sweeps.training.train import train
from tests.sweeps.ends_of_runs import assert_same_end, interrupted_at
from tests.sweeps.made_text import text_of
from tests.sweeps.small_run import ONE, config

ROOT = Path(__file__).parents[3]
SWEEP = ["sweep", "ci", "--sizes", "32x1", "--streams", "1,2", "--workers", "1", "--threads", "1"]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two shards of tokens with their tokenizer, and texts."""
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    texts = [text_of(i) for i in range(160)]
    tokenizer = train_tokenizer(texts, 300)
    for name in ("shards", "texts"):
        (tmp_path / name).mkdir()
    tokenizer.save(str(tmp_path / "shards/tokenizer.json"))
    encoder = Encoder(tokenizer)
    for number, part in enumerate(np.array_split(np.arange(160), 2)):
        ids = [np.append(encoder.ids(texts[i]), 0) for i in part]
        np.concatenate(ids).astype("uint16").tofile(tmp_path / f"shards/train_{number}.bin")
    for number, text in enumerate(texts):
        (tmp_path / f"texts/{number}.txt").write_text(text.replace("offset", "shift"))
    return tmp_path


@pytest.mark.slow
def test_a_sweep_fed_from_tokens_that_was_killed_ends_with_equal_losses(folders):
    arguments = [*SWEEP, "--corpora", f"tokens:{folders}/shards", "--tokens", "40000"]
    assert parscale.main([*arguments, "--out", str(folders / "whole")]) == 0
    command = [sys.executable, "-m", "parscale", *arguments, "--out", str(folders / "killed")]
    command += ["--checkpoint-minutes", "0.0001"]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list((folders / "killed").glob("checkpoints/*/step-*.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert len(list((folders / "killed/rows").glob("*.json"))) < 2
    moved = folders / "moved"
    (folders / "shards").rename(moved)  # and its shards were moved
    arguments[arguments.index("--corpora") + 1] = f"tokens:{moved}"
    assert parscale.main([*arguments, "--out", str(folders / "killed")]) == 0
    whole, again = (read_runs(folders / name).set_index("P") for name in ("whole", "killed"))
    assert len(again) == 2
    for name in ("loss", "train_loss", "run_id", "corpus", "bits_per_byte", "vocab"):
        assert again[name].tolist() == whole[name].tolist(), name


@pytest.fixture
def mixture(folders):
    """A run on tokens and texts, seven to three."""
    name = f"mix:0.7*tokens:{folders}/shards+0.3*files:{folders}/texts/*.txt"
    (run,) = corpora.bind([config(name, log_points=6, eval_batch=4)], lambda line: None)
    return run


def test_a_run_on_a_mixture_resumes_to_the_bit_and_logs_its_shares(mixture, folders):
    said = []
    whole = train(mixture, folders / "whole", execution=ONE, report=said.append)
    interrupted_at(mixture, folders / "parts", 7)
    shutil.rmtree(folders / "texts")  # the tokens in the cache are enough
    parts = train(mixture, folders / "parts", execution=ONE, report=said.append)
    assert_same_end(folders / "whole", folders / "parts", whole, parts)
    curve = pd.read_parquet(folders / "whole/curve.parquet")
    windows = (curve["step"] * mixture.batch).to_numpy()
    assert (curve["mix_0"] * windows == np.round(0.7 * windows + 1e-9)).all()
    assert (curve["mix_0"] + curve["mix_1"]).tolist() == pytest.approx([1.0] * len(curve))
    assert any("69.79%" in line for line in said)
    domains = pd.read_json(folders / "whole/domains.json")["domain"].tolist()
    assert domains == [f"tokens:{folders}/shards/tokens", f"files:{folders}/texts/*.txt/files"]


def test_text_under_another_path_is_the_corpus_of_the_sweep(folders):
    first = f"files:{folders}/texts/*.txt"
    (begun,) = corpora.bind([config(first)], lambda line: None)
    shutil.move(folders / "texts", folders / "moved")
    (moved,) = corpora.bind(
        [config(f"files:{folders}/moved/*.txt")], lambda line: None, known={begun.run_id: begun}
    )
    assert moved == begun
    said = []
    (gone,) = corpora.bind([config(first)], said.append, known={begun.run_id: begun})
    assert gone == begun
    assert len(said) == 1
    assert corpora.open_for(begun).hash == begun.corpus_hash
    (folders / "moved/3.txt").write_text("other words\n" * 9)
    (changed,) = corpora.bind(
        [replace(config(f"files:{folders}/moved/*.txt"))], lambda line: None, known={begun.run_id: begun}
    )
    assert changed.corpus_hash != begun.corpus_hash
