"""Tasks of ours as tasks of the harness, and the table of benchmarks."""

import json
import math
from importlib import metadata

import pandas as pd
import pytest
import torch

from sweeps.config.model import ModelConfig
from sweeps.corpora import build as corpora
from sweeps.corpora.tasks.alphabet import SIZE, codes_of, text_of, write_tokenizer
from sweeps.corpora.tokens import END, entries, read_tokenizer
from sweeps.inspect.generate import generate
from sweeps.inspect.harness import check_harness, keep_benchmarks, run_harness, write_tasks
from sweeps.model.parscale import ParScaleLM
from sweeps.training.task_evaluation import score_tasks

TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
target_delimiter: ""
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{a}}}}"
"""
SCORED = """
output_type: loglikelihood
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
"""
FILTERED = """
output_type: generate_until
generation_kwargs: {until: ["z"], max_gen_toks: 2}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
filter_list:
  - {name: strict-match, filter: [{function: regex, regex_pattern: "(.)"}, {function: take_first}]}
  - {name: flexible-extract, filter: [{function: take_first}]}
"""
GROUP = """
group: both
task: [one, two]
aggregate_metric_list: [{metric: acc, aggregation: mean, weight_by_size: true}]
"""


@pytest.fixture
def checkpoint(tmp_path, one_thread):
    """A model of random weights and its folder, which holds the tokenizer of our tasks."""
    write_tokenizer(tmp_path / "tokenizer.json")
    torch.manual_seed(5)
    return ParScaleLM(ModelConfig(SIZE, 32, 48, 2, 4, 2, init_std=0.4)).eval(), tmp_path


def theirs(folder, name, kind, answers):
    """Write a task as a user of the harness would."""
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps({"q": f"{i}=", "a": a}) + "\n" for i, a in enumerate(answers)))
    (folder / f"{name}.yaml").write_text(TASK.format(name=name, data=data) + kind)


def test_items_are_written_as_they_are_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    names = write_tasks("task:copy#letters=2,4", tmp_path, tmp_path / "tokenizer.json")
    assert names == ["parscale_copy_letters_2_4_copy_2", "parscale_copy_letters_2_4_copy_4"]
    rows = pd.read_parquet(tmp_path / f"{names[1]}.parquet").to_dict("records")
    items = corpora.open_corpus("task:copy#letters=4", 64).questions()["copy 4"]
    assert len(rows) == len(items.ids)
    assert all(row["completion"] == row["prompt"][:-1] + "\n" for row in rows)
    assert json.loads((tmp_path / f"{names[0]}.yaml").read_text())["output_type"] == "loglikelihood"


def test_a_task_asked_again_takes_the_place_of_its_rows(tmp_path):
    row = {"task": "t", "metric": "acc", "value": 0.1, "items": 8, "P": 1, "r": 1}
    for value, r in ((0.1, 1), (0.2, 1), (0.3, 2)):
        path = keep_benchmarks(tmp_path, "a", pd.DataFrame([{**row, "value": value, "r": r}]))
    assert pd.read_parquet(path)["value"].tolist() == [0.2, 0.3]
    for items, value in ((row["items"] - 1, 0.4), (row["items"] + 1, 0.5)):  # a trial of fewer, then more
        keep_benchmarks(tmp_path, "a", pd.DataFrame([{**row, "value": value, "r": 1, "items": items}]))
        assert sorted(pd.read_parquet(path)["value"]) == ([0.2, 0.3] if value == 0.4 else [0.3, 0.5])


@pytest.mark.filterwarnings("ignore")
def test_a_group_has_the_items_of_its_tasks_and_every_mean_its_error(checkpoint, capfd):
    pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")
    model, folder = checkpoint
    said = [text_of(generate(model, [codes_of(f"{i}=").tolist()], 1)[0]) for i in range(13)]
    theirs(folder, "one", SCORED, [*said[:5], *["wrong"] * 8])
    theirs(folder, "two", SCORED, "klmno")
    (folder / "both.yaml").write_text(GROUP)
    rows = run_harness(model, folder, ["both"], include=str(folder)).set_index(["task", "metric"])
    assert rows["items"].to_dict() == {
        ("both", "acc"): 18,
        **{("one", name): 13 for name in ("acc", "perplexity")},
        **{("two", name): 5 for name in ("acc", "perplexity")},
    }
    assert rows.loc[("one", "acc"), "value"] == 5 / 13
    assert rows.loc[("one", "acc"), "value_se"] == pytest.approx(math.sqrt(5 * 8 / 13**2 / 12))
    assert (rows.loc[(["one", "two"], "perplexity"), "value_se"] > 0).all()
    assert rows["value_se"].notna().all()
    assert capfd.readouterr().out == ""  # the command's own output begins with its table


@pytest.mark.filterwarnings("ignore")
def test_each_filter_of_a_metric_is_a_metric_and_is_kept(checkpoint, monkeypatch):
    pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")
    from sweeps.inspect.harness_model import HarnessModel

    monkeypatch.setattr(HarnessModel, "_generated", lambda *more: "ab")
    model, folder = checkpoint
    theirs(folder, "filtered", FILTERED, ["a", "a", "ab", "q"])
    rows = run_harness(model, folder, ["filtered"], include=str(folder))
    kept = pd.read_parquet(keep_benchmarks(folder, "run", rows)).set_index("metric")["value"]
    assert kept.to_dict() == {"exact_match,strict-match": 0.5, "exact_match,flexible-extract": 0.25}


def pairs(folder):
    """Prompts and answers of the user's own: dates, and words that an answer would go on with."""
    days = [(f"2020-{m:02d}-{d:02d}", "plus", "day") for m in range(1, 13) for d in range(1, 20)]
    words = [(f"ab {i} a", "b", "word") for i in range(200)]  # read together they end with the token of ab
    path = folder / "pairs.jsonl"
    path.write_text(
        "".join(json.dumps({"q": q, "a": a, "domain": of}) + "\n" for q, a, of in [*days, *words])
    )
    return f"files:{path}#prompt=q#answer=a"


@pytest.mark.filterwarnings("ignore")
def test_pairs_of_a_user_are_asked_as_a_run_asks_them(tmp_path, monkeypatch, one_thread):
    pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    corpus = corpora.open_corpus(name := pairs(tmp_path), 300)
    checkpoint = corpus.folder
    vocab = entries(checkpoint / "tokenizer.json")
    torch.manual_seed(5)
    model = ParScaleLM(ModelConfig(vocab, 32, 48, 2, 4, 2, init_std=0.02)).eval()
    rows = run_harness(model, checkpoint, [name]).set_index(["task", "metric"])
    for domain, score in score_tasks(model, corpus.questions(), every=False).items():
        (task,) = {task for task, _ in rows.index if task.endswith(f"_{domain}")}
        assert rows.loc[(task, "acc"), "value"] == score.exact_match
        assert rows.loc[(task, "acc"), "items"] == len(score.right)
        per_item = math.exp(score.answer_losses.mean())
        assert rows.loc[(task, "perplexity"), "value"] == pytest.approx(per_item, rel=1e-4)


def test_pairs_that_the_tokenizer_cannot_give_back_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    name, path = pairs(tmp_path), tmp_path / "tokenizer.json"
    read_tokenizer(corpora.open_corpus(name, 300).folder / "tokenizer.json").save(str(path))
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"decoder": {"type": "Strip", "content": "p", "start": 1, "stop": 0}}))
    with pytest.raises(ValueError, match=rf"pairs\.jsonl.*lus.*{END[2:5]}.*--include"):
        write_tasks(name, tmp_path, path)


def test_a_corpus_without_answers_is_told_what_to_give(checkpoint):
    pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")
    model, folder = checkpoint
    with pytest.raises(ValueError, match=r"files:x\.jsonl.*#prompt=.*#answer="):
        run_harness(model, folder, ["files:x.jsonl"], include=str(folder))


@pytest.mark.parametrize(("version", "fits"), [("0.4.9", False), ("0.4.10", True), ("0.5.0", False)])
def test_the_harness_must_be_of_a_known_version(version, fits, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    if fits:
        assert check_harness() == version
    else:
        with pytest.raises(ValueError, match=f"{version}, .*0.4.10.*0.5"):
            check_harness()
