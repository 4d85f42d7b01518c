"""Tasks as corpora: rows, identity, mixtures, and runs that resume."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sweeps.corpora import build as corpora
from sweeps.corpora.tasks.alphabet import SIZE, text_of
from sweeps.corpora.tasks.task_corpus import TaskWindows
from sweeps.corpora.tasks.task_names import task_of
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.training.train import train
from tests.sweeps.ends_of_runs import assert_same_end, interrupted_at
from tests.sweeps.small_run import ONE


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))


def planned(corpus, **changes):
    (run,) = find("ci")(Axes(sizes=("32x2",), streams=(2,), corpora=(corpus,)))
    (run,) = corpora.bind([replace(run, seq_len=48, batch=4, eval_tokens=0, **{"steps": 12, **changes})])
    return run


def test_rows_hold_whole_items_of_which_the_completions_are_learnt():
    windows = TaskWindows(*task_of("task:copy#letters=3,7"), 24, 8, seed=1)
    block = windows.step(3)
    assert np.array_equal(
        block,
        np.stack([TaskWindows(*task_of("task:copy#letters=3,7"), 24, 8, 1).window(i) for i in range(24, 32)]),
    )
    plain = np.where(block < 0, ~block, block)
    for row, told in zip(block, plain, strict=True):
        items = text_of(told).split("\n")[:-1]
        assert {len(item) for item in items} in ({7}, {15})
        assert text_of(np.where(row < 0, 0, row)) == "".join(item.split("=")[1] + "\n" for item in items)
    every = TaskWindows(*task_of("task:copy#letters=3#loss=all"), 24, 8, seed=1).step(0)
    assert (every[:, :24] >= 0).all()


def test_an_item_longer_than_a_row_is_named():
    with pytest.raises(ValueError, match=r"32.*66.*48"):
        planned("task:copy")


def test_a_task_is_known_by_its_content_and_has_a_vocabulary_of_its_own():
    run = planned("task:copy#letters=4")
    assert run.model.vocab == SIZE
    assert planned("task:copy#loss=answer#letters=4").corpus_hash == run.corpus_hash
    assert planned("task:copy#letters=4#loss=all").corpus_hash != run.corpus_hash
    assert corpora.open_for(run).questions().keys() == {"copy 4"}
    with pytest.raises(ValueError, match=r"44.*model.*30"):
        corpora.open_corpus("task:copy", 30)


def test_a_run_resumes_to_the_bit_and_leaves_its_matches(tmp_path):
    run = planned("task:copy#letters=2,4", evaluations=2, steps=20)
    whole = train(run, tmp_path / "whole", execution=ONE)
    interrupted_at(run, tmp_path / "parts", 11)
    parts = train(run, tmp_path / "parts", execution=ONE)
    assert_same_end(tmp_path / "whole", tmp_path / "parts", whole, parts)
    assert whole["exact_match"] == parts["exact_match"]
    assert whole["loss"] == whole["answer_loss"]
    rows = json.loads((tmp_path / "parts" / "domains.json").read_text())
    assert [row["domain"] for row in rows] == ["copy 2", "copy 4"]
    assert all(0 <= row["exact_match"] <= 1 and row["exact_match_se"] > 0 for row in rows)


def test_tasks_mix_with_text(corpus, tmp_path):
    run = planned("mix:0.5*task:copy#letters=2+0.5*task:hops#hops=1#nodes=4")
    row = train(run, tmp_path / "run", execution=ONE)
    names = {part["domain"] for part in json.loads((tmp_path / "run" / "domains.json").read_text())}
    assert names == {"task:copy#letters=2/copy 2", "task:hops#hops=1#nodes=4/hops 1"}
    assert 0 <= row["exact_match"] <= 1
