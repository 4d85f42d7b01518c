"""Prompts and answers of the user's own."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sweeps.corpora import build as corpora
from sweeps.corpora.tasks.pairs import is_pairs
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.training.train import train
from tests.sweeps.small_run import ONE


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))


def written(folder, rows):
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"files:{path}#prompt=question#answer=told"


def sums(n=400):
    pairs = [divmod(i, 20) for i in range(n)]
    return [{"question": f"{a} and {b}?", "told": f" {a + b}", "domain": str(a // 10)} for a, b in pairs]


def test_pairs_train_and_are_asked_by_domain(tmp_path):
    name = written(tmp_path, sums())
    (run,) = find("ci")(Axes(sizes=("32x1",), streams=(1,), corpora=(name,), repeat=True))
    (run,) = corpora.bind([replace(run, steps=10, batch=4, seq_len=32, eval_tokens=0)])
    corpus = corpora.open_for(run)
    asked, windows = corpus.questions(), corpus.windows(32, 4, 0)
    assert set(asked) == {"0", "1"}
    held = {
        tuple(row[:p]) for items in asked.values() for row, p in zip(items.ids, items.prompt, strict=True)
    }
    read = np.concatenate([windows.window(i) for i in range(windows.count)])
    assert (read >= 0).sum() == sum(
        n - p for _, p, n in json.loads((corpus.folder / "pairs.json").read_text())["train"]
    )
    assert sum(len(items.ids) for items in asked.values()) == len(held)
    row = train(run, tmp_path / "run", execution=ONE)
    assert row["epochs"] == pytest.approx(40 / windows.count)
    assert 0 <= row["exact_match"] <= 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"question": "a", "told": ""}], "pairs.jsonl:1"),
        ([{"question": "", "told": "b"}], "pairs.jsonl:1"),
        ([{"question": "a"}], "pairs.jsonl:1"),
        ([{"question": "a", "told": "b"}], "1 "),
    ],
)
def test_a_task_without_answers_is_refused_by_its_place(rows, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        corpora.open_corpus(written(tmp_path, rows), 300)


def test_a_pair_longer_than_the_window_is_named(tmp_path):
    corpus = corpora.open_corpus(written(tmp_path, sums()), 300)
    with pytest.raises(ValueError, match=r"188 .* 4 "):
        corpus.windows(4, 1, 0)
    assert not is_pairs("files:*.jsonl")
