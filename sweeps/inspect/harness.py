"""The LM evaluation harness on a checkpoint: tasks of ours as local tasks of its own, accuracies in a table.

`benchmarks.parquet` in a sweep's folder: run_id, task, metric, value, value_se, items, P, r, harness. A row each.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.corpora.build import open_corpus
from sweeps.corpora.tasks.alphabet import text_of
from sweeps.corpora.tasks.pairs import is_pairs
from sweeps.corpora.tasks.task_names import TASK
from sweeps.inspect.generate import load_tokenizer
from sweeps.model.parscale import ParScaleLM
from sweeps.store.checksums import read_parquet, write_parquet

NEEDS = ((0, 4, 10), (0, 5))  # of the harness: from, below
TABLE = "benchmarks.parquet"
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


def write_tasks(corpus: str, folder: Path) -> list[str]:
    """Write the validation items of a task as tasks of the harness, one a difficulty. Returns their names."""
    names = []
    for domain, items in open_corpus(corpus, 1 << 16).questions().items():
        name = re.sub(r"\W+", "_", f"parscale_{corpus.removeprefix(TASK)}_{domain}")
        rows = [
            {"prompt": text_of(ids[:split]), "completion": text_of(ids[split:])}
            for ids, split in zip(items.ids, items.prompt, strict=True)
        ]
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "loglikelihood",
            "doc_to_text": "{{prompt}}",
            "doc_to_target": "{{completion}}",
            "target_delimiter": "",
            "metric_list": METRICS,
        }
        (folder / f"{name}.yaml").write_text(json.dumps(task), encoding="utf-8")  # JSON is YAML
        names.append(name)
    return names


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
        tasks: corpora of ours (task:hops), or the harness's own, which fetch their data.
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

    if theirs := [name for name in tasks if is_pairs(name)]:
        raise ValueError(
            f"{theirs[0]}: pairs are scored as the run is trained. The harness takes task:NAME or its own"
        )
    with tempfile.TemporaryDirectory() as folder:
        names: list[str] = []
        for task in tasks:
            names += write_tasks(task, Path(folder)) if task.startswith(TASK) else [task]
        own = all(task.startswith(TASK) for task in tasks)
        places = [folder, *([include] if include else [])]
        manager = TaskManager(include_path=places, include_defaults=not own and include is None)
        if unknown := [name for name in names if name not in manager.all_tasks]:
            raise ValueError(
                f"the harness knows no task {unknown[0]!r}. Give task:NAME, or its folder by --include"
            )
        found = lm_eval.simple_evaluate(
            model=HarnessModel(model, tokenizer),
            tasks=names,
            task_manager=manager,
            limit=limit,
            bootstrap_iters=0,
        )
    return _rows(found).assign(P=model.config.P, r=model.config.loops, harness=version)


def _rows(found: dict[str, Any]) -> pd.DataFrame:
    """One row a task and metric."""
    rows = []
    for task, metrics in found["results"].items():
        items = found["n-samples"][task]["effective"]
        for key, value in metrics.items():
            metric, comma, of = key.partition(",")
            if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            error = metrics.get(f"{metric}_stderr,{of}")
            error = float(error) if isinstance(error, int | float) else float("nan")
            rows.append(
                {"task": task, "metric": metric, "value": float(value), "value_se": error, "items": items}
            )
    return pd.DataFrame(rows)


def keep_benchmarks(sweep: Path, run_id: str, rows: pd.DataFrame) -> Path:
    """Put a run's rows into the sweep's table of benchmarks, in the place of older ones of the same task, P and r."""
    path = sweep / TABLE
    parts = [read_parquet(path)] if path.exists() else []
    table = pd.concat([*parts, rows.assign(run_id=run_id)], ignore_index=True)
    write_parquet(path, table.drop_duplicates(["run_id", "task", "metric", "P", "r"], keep="last"))
    return path
