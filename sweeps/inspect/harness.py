"""The LM evaluation harness on a checkpoint: tasks of ours as local tasks of its own, accuracies in a table.

`benchmarks.parquet` in a sweep's folder: run_id, task, metric, value, value_se, items, P, r, harness. A row each.
A metric that the harness filters has the filter in its name: `exact_match,strict-match`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.corpora.build import open_corpus
from sweeps.corpora.tasks.alphabet import text_of
from sweeps.corpora.tasks.pairs import is_pairs
from sweeps.corpora.tasks.task_names import TASK
from sweeps.corpora.tokens import entries, read_tokenizer
from sweeps.inspect.generate import load_tokenizer
from sweeps.model.parscale import ParScaleLM
from sweeps.store.checksums import read_parquet, write_parquet

NEEDS = ((0, 4, 10), (0, 5))  # of the harness: from, below
TABLE = "benchmarks.parquet"
RESAMPLES = 200  # for standard errors without a closed form: right to 5%, within 3 s for 1,000 items
METRICS = [
    {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
    {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
]


def check_harness() -> str:
    """The harness's version. ValueError that says what to install where it is absent or another."""
    wanted = "pip install 'parscale[eval]'"
    try:
        version = metadata.version("lm_eval")
    except metadata.PackageNotFoundError:
        raise ValueError(f"the LM evaluation harness is not installed: {wanted}") from None
    parts = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if not NEEDS[0] <= parts < NEEDS[1]:
        raise ValueError(
            f"the LM evaluation harness here is {version}, 0.4.10 to below 0.5 is wanted: {wanted}"
        )
    return version


def is_local(corpus: str) -> bool:
    """Whether a name means a corpus of ours whose answers are checked: task:NAME, or prompts and answers."""
    return corpus.startswith(TASK) or is_pairs(corpus)


def write_tasks(corpus: str, folder: Path, tokenizer: Path) -> list[str]:
    """Write the validation items of a corpus as tasks of the harness, one a difficulty or domain.

    Args:
        corpus: task:NAME, or files:GLOB#prompt=COLUMN#answer=COLUMN.
        folder: where to write a YAML and a parquet file each. Text in parquet is never read as a date.
        tokenizer: the checkpoint's tokenizer.json, which reads prompts and answers. Our tasks have their own.

    Returns:
        The names of the tasks.

    Raises:
        ValueError: the corpus is not known, or its tokens are not those of its text.
    """
    text: Callable[[Any], str] = text_of
    if is_pairs(corpus):
        asked = open_corpus(corpus, entries(tokenizer), tokenizer=str(tokenizer)).questions()
        text = _exact_text(corpus, tokenizer)
    else:
        asked = open_corpus(corpus, 1 << 16).questions()
    names: list[str] = []
    for domain, items in asked.items():
        short = corpus.removeprefix(TASK).removeprefix("files:")
        name = re.sub(r"\W+", "_", f"parscale_{short}_{domain}")
        name += f"_{len(names)}" * (name in names)
        rows = [
            {"prompt": text(ids[:split]), "completion": text(ids[split:end])}
            for ids, split, end in zip(items.ids, items.prompt, items.lengths, strict=True)
        ]
        _write_task(name, pd.DataFrame(rows), folder)
        names.append(name)
    return names


def _exact_text(corpus: str, path: Path) -> Callable[[Any], str]:
    """The text of tokens. It refuses tokens that their text does not give back."""
    tokenizer = read_tokenizer(path)

    def text(ids: Any) -> str:
        found: str = tokenizer.decode(ids.tolist(), skip_special_tokens=False)
        if tokenizer.encode(found, add_special_tokens=False).ids != ids.tolist():
            raise ValueError(
                f"{corpus}: {path} does not read {found[:40]!r} as the tokens it was written from. "
                "The run's own exact_match scores such items, and a task in --include can hold them"
            )
        return found

    return text


def _write_task(name: str, rows: pd.DataFrame, folder: Path) -> None:
    """A task of the harness: its items, prompt and completion, and its YAML."""
    data = folder / f"{name}.parquet"
    rows.to_parquet(data, index=False)
    task = {
        "task": name,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "loglikelihood",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{completion}}",
        "target_delimiter": "",
        "metric_list": METRICS,
    }
    (folder / f"{name}.yaml").write_text(json.dumps(task), encoding="utf-8")  # JSON is YAML


def run_harness(
    model: ParScaleLM,
    checkpoint: str | Path,
    tasks: Sequence[str],
    include: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """What the harness says of a model: task, metric, value, value_se, items, P, r, harness.

    Args:
        model: at the P and r that it is to be judged at.
        checkpoint: the folder with its tokenizer.json.
        tasks: corpora of ours (task:hops, or prompts and answers), or the harness's own, which fetch their data.
        include: folder of further tasks for the harness.
        limit: items of a task at most.

    Raises:
        ValueError: the harness is absent or of another version. A task is not known.
        PromptError: the checkpoint has no tokenizer.

    """
    version, tokenizer = check_harness(), load_tokenizer(checkpoint, model.config.vocab)
    import lm_eval
    from lm_eval.tasks import TaskManager

    from sweeps.inspect.harness_model import HarnessModel

    with tempfile.TemporaryDirectory() as folder:
        names: list[str] = []
        for task in tasks:
            own = is_local(task)
            names += write_tasks(task, Path(folder), Path(checkpoint) / "tokenizer.json") if own else [task]
        places = [folder, *([include] if include else [])]
        theirs = include is None and not all(is_local(task) for task in tasks)
        manager = TaskManager(include_path=places, include_defaults=theirs)
        if unknown := [name for name in names if name not in manager.all_tasks]:
            ours = "task:NAME, files:GLOB#prompt=COLUMN#answer=COLUMN"
            raise ValueError(
                f"the harness knows no task {unknown[0]!r}. Give {ours}, or its folder by --include"
            )
        with _in_this_process():
            found = lm_eval.simple_evaluate(
                model=HarnessModel(model, tokenizer),
                tasks=names,
                task_manager=manager,
                limit=limit,
                bootstrap_iters=RESAMPLES,
            )
    return _rows(found).assign(P=model.config.P, r=model.config.loops, harness=version)


@contextmanager
def _in_this_process() -> Iterator[None]:
    """The harness's resampling starts no processes, and what it prints is no part of our output."""
    name = "DISABLE_MULTIPROC"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        del os.environ[name]
        os.environ.update({} if before is None else {name: before})


def _rows(found: dict[str, Any]) -> pd.DataFrame:
    """One row a task or group, metric and filter. Without one whose items nobody counted."""
    rows = []
    for task, metrics in found["results"].items():
        for key, value in metrics.items():
            metric, comma, of = key.partition(",")
            if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            if not (items := _items(found, task, key)):
                continue
            error = metrics.get(f"{metric}_stderr,{of}")
            error = float(error) if isinstance(error, int | float) else float("nan")
            name = metric if of == "none" else key
            rows.append(
                {"task": task, "metric": name, "value": float(value), "value_se": error, "items": items}
            )
    return pd.DataFrame(rows, columns=["task", "metric", "value", "value_se", "items"])


def _items(found: dict[str, Any], task: str, key: str) -> int:
    """Items behind a metric of a task, or of the tasks of a group that have it."""
    if task in found["n-samples"]:
        return int(found["n-samples"][task]["effective"]) if key in found["results"][task] else 0
    return sum(_items(found, name, key) for name in found.get("group_subtasks", {}).get(task, ()))


def keep_benchmarks(sweep: Path, run_id: str, rows: pd.DataFrame) -> Path:
    """Put a run's rows into the sweep's table of benchmarks, in the place of older ones of the same task, P and r.

    Of two measurements the one of more items stays, else the newer one: a trial of a few items replaces no whole one.
    """
    path = sweep / TABLE
    parts = [read_parquet(path)] if path.exists() else []
    table = pd.concat([*parts, rows.assign(run_id=run_id)], ignore_index=True)
    table = table.sort_values("items", kind="stable")
    table = table.drop_duplicates(["run_id", "task", "metric", "P", "r"], keep="last").sort_index()
    write_parquet(path, table)
    return path
