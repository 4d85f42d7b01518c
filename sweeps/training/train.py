"""One run is one function: a configuration in, one row of the runs table out."""

from __future__ import annotations

import json
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from sweeps.checkpoint import parents, released_format
from sweeps.checkpoint.stream_bank import save_apart
from sweeps.config.execution import DEFAULT, Execution
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.corpora.corpus import Corpus
from sweeps.driver import ranks
from sweeps.model.parscale import ParScaleLM
from sweeps.store.checksums import write_text
from sweeps.store.curve_files import write_curve
from sweeps.training import snapshots
from sweeps.training.callbacks import Progress, StepProfile, Watch
from sweeps.training.evaluate import evaluate_corpus
from sweeps.training.interrupt import Interrupted
from sweeps.training.lightning_module import ParScaleModule, build_model
from sweeps.training.loggers import loggers_of
from sweeps.training.peak_memory import reset_peak_memory
from sweeps.training.row import row_of
from sweeps.training.strategies import OneFile, Sharded, begins_sharded, rank, strategy_of, whole_model

PRECISION = {"float32": "32-true", "bf16": "bf16-mixed"}


def train(
    run: RunConfig,
    folder: Path,
    *,
    execution: Execution = DEFAULT,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
    report: Callable[[str], None] | None = None,
    snapshot: Path | Literal["last"] | None = "last",
) -> dict[str, Any]:
    """Train `run` to its end, from its last snapshot in `folder` if there is one. Returns its row.

    Leaves the model in the released format, `curve.parquet` and `domains.json` in `folder`.
    `stop` is asked after every step. Once true, the state is written and Interrupted raised.
    At the step `execution.until` the state and the curve are written and the row says stopped.
    `snapshot` names another to go on from, or none: the ranks of a run are given theirs.
    """
    if execution.ranks > 1 and not ranks.inside() and not run.frozen:
        return ranks.train_on_devices(run, folder, execution, stop, progress, report)
    say = report or logging.getLogger(__name__).warning
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(execution.threads or torch.get_num_threads())
    reset_peak_memory(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    base = parents.of(run, folder.parent) if run.parent else None
    corpus = corpora.open_for(parents.with_tokenizer(run, base), say)
    windows = corpora.windows_of(run, corpus)
    with torch.device("meta") if begins_sharded(run, execution) else nullcontext():
        module = ParScaleModule(run, build_model(run, base, windows), windows)
    module.model.gradient_checkpointing = execution.gradient_checkpointing
    if run.frozen:
        return _evaluated(run, module, corpus, folder, started_at)
    watch = Watch(run, folder, corpus, execution, stop, progress)
    if snapshot == "last":
        snapshot = snapshots.choose(run, folder, say)
    with silent_lightning():
        trainer = _trainer(run, folder, execution, watch, snapshots.step_of(snapshot))
        trainer.fit(module, ckpt_path=snapshot, weights_only=True if snapshot else None)
    if watch.interrupted:
        raise Interrupted(f"run {run.run_id} stopped at step {trainer.global_step}. Its state is in {folder}")
    module.history.wall_s = watch.wall_s
    model = whole_model(module.model)
    if rank() == 0:
        write_results(run, module, corpus, folder)
    if rank() == 0 and not (module.history.diverged or watch.paused):
        save_run_model(run, model, folder, corpus.tokenizer)
    return row_of(run, module, watch.evaluation, started_at, corpus)


def _evaluated(
    run: RunConfig, module: ParScaleModule, corpus: Corpus, folder: Path, started_at: str
) -> dict[str, Any]:
    """The row of a backbone that is frozen and has no streams: its validation loss, with no training and no curve."""
    began, device = time.monotonic(), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = partial(torch.autocast, device.type, torch.bfloat16, enabled=run.precision == "bf16")
    evaluation = evaluate_corpus(module.model.to(device), corpus, run, half)
    module.keep_evaluation(evaluation)
    module.history.wall_s = time.monotonic() - began
    write_results(run, module, corpus, folder)
    save_run_model(run, module.model.cpu(), folder, corpus.tokenizer)
    return row_of(run, module, evaluation, started_at, corpus)


def save_run_model(run: RunConfig, model: ParScaleLM, folder: Path, tokenizer: Path | None) -> None:
    """Write the model in the released format. Runs on one frozen backbone share its file."""
    if run.recipe == "peft":
        save_apart(model, folder, f"backbone-{run.parent_hash[:16]}", tokenizer)
    else:
        released_format.save_checkpoint(model, folder, tokenizer=tokenizer)


def _trainer(run: RunConfig, folder: Path, execution: Execution, watch: Watch, step: int) -> L.Trainer:
    """Lightning's trainer of a run that goes on from `step`."""
    strategy = strategy_of(execution)
    written = [] if isinstance(strategy, Sharded) else [OneFile()]
    profiles = [StepProfile(folder, (run.steps - step) * run.accumulate)] * execution.profile
    trainer = L.Trainer(
        accelerator=execution.accelerator,
        devices=execution.devices,
        num_nodes=execution.num_nodes,
        strategy=strategy,
        plugins=[LightningEnvironment(), *written],  # never Slurm's: requeueing is the launcher's
        precision=PRECISION[run.precision],  # type: ignore[arg-type]
        max_steps=run.steps,
        max_epochs=-1,
        accumulate_grad_batches=run.accumulate,
        callbacks=[watch, *profiles],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic=False,
    )
    trainer.loggers = loggers_of(execution.loggers, run, folder, step)
    return trainer


@contextmanager
def silent_lightning() -> Iterator[None]:
    """Keep Lightning's advice, tips and progress out of the output. Errors still raise."""
    named = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if "lightning" in name]
    loggers = [one for one in named if one.level or one.parent is logging.root]  # the others follow these
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def write_results(run: RunConfig, module: ParScaleModule, corpus: Corpus, folder: Path) -> None:
    """Curve and per-domain losses of a run that has ended."""
    if module.history.points:  # of a frozen backbone there are none
        write_curve(run.run_id, module.history.points, folder / "curve.parquet")
    by_domain = [
        {
            "run_id": run.run_id,
            "domain": name,
            "tokens": int(count),
            "loss": loss,
            "bits_per_byte": loss / math.log(2) / corpus.bytes_per_token(name),
            **module.history.tasks.get(name, {}),
        }
        for name, (loss, count) in module.history.domains.items()
    ]
    write_text(folder / "domains.json", json.dumps(by_domain))
