"""One run is one function: a configuration in, one row of the runs table out."""

from __future__ import annotations

import json
import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback

from sweeps import checkpoint, corpora, parents, snapshots
from sweeps.config import RunConfig
from sweeps.evaluate import Evaluation, evaluate
from sweeps.execution import DEFAULT, Execution
from sweeps.interrupt import Interrupted
from sweeps.module import ParScaleModule, build_model
from sweeps.row import reset_peak_memory, row_of

Progress = Callable[[dict[str, Any]], None]
PRECISION = {"float32": "32-true", "bf16": "bf16-mixed"}


class _Watch(Callback):
    """Evaluates when due, reports, snapshots every n minutes and when asked to stop."""

    def __init__(
        self,
        run: RunConfig,
        folder: Path,
        corpus: corpora.Corpus,
        execution: Execution,
        stop: Callable[[], bool],
    ) -> None:
        self.run, self.folder, self.corpus, self.execution, self.stop = run, folder, corpus, execution, stop
        self.progress: Progress | None = None
        self.evaluation: Evaluation | None = None
        self.interrupted = False
        self.started = self.last_snapshot = time.monotonic()
        self.last_report = -math.inf
        self.before_s = 0.0  # training time of earlier sessions

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        assert isinstance(module, ParScaleModule)
        self.before_s = module.history.wall_s
        self.first_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(module, ParScaleModule)
        step = trainer.global_step
        if not module.finish_step() or module.history.diverged:
            return
        if step in _evaluation_steps(self.run):
            self.evaluation = self._evaluate(trainer, module)
            module.record_evaluation(self.evaluation)
        self._report(module, step)
        if step == self.run.steps:
            return
        due = time.monotonic() - self.last_snapshot > 60 * self.execution.checkpoint_minutes
        self.interrupted = self.stop()
        if due or self.interrupted:
            module.history.wall_s = self.wall_s
            self._snapshot(trainer, step)
        if self.interrupted:
            trainer.should_stop = True

    @property
    def wall_s(self) -> float:
        """Seconds spent on this run, earlier sessions included."""
        return self.before_s + time.monotonic() - self.started

    def _evaluate(self, trainer: L.Trainer, module: ParScaleModule) -> Evaluation:
        return evaluate(
            module.model,
            self.corpus.valid,
            self.run.seq_len,
            self.run.eval_batch,
            self.corpus.valid_spans,
            trainer.precision_plugin.forward_context,
            self.run.eval_tokens,
        )

    def _report(self, module: ParScaleModule, step: int) -> None:
        now = time.monotonic()
        if self.progress is None or (now - self.last_report < self.execution.report_seconds):
            return
        self.last_report = now
        done = (step - self.first_step) * self.run.batch_tokens
        speed = done / max(now - self.started, 1e-9)
        left = (self.run.steps - step) * self.run.batch_tokens / max(speed, 1e-9)
        loss = module.history.mean(20)
        self.progress(
            {"step": step, "loss": loss, "tokens_per_s": speed, "eta_s": left, "wall_s": self.wall_s}
        )

    def _snapshot(self, trainer: L.Trainer, step: int) -> None:
        temporary = self.folder / f".snapshot-{os.getpid()}.tmp"
        try:
            trainer.save_checkpoint(temporary)
            snapshots.publish(temporary, step)
        finally:
            temporary.unlink(missing_ok=True)
        self.last_snapshot = time.monotonic()


@cache
def _evaluation_steps(run: RunConfig) -> frozenset[int]:
    """The steps after which the held-out loss is measured; the last step is one of them."""
    return frozenset(round(run.steps * (i + 1) / run.evaluations) for i in range(run.evaluations))


def train(
    run: RunConfig,
    folder: Path,
    *,
    execution: Execution = DEFAULT,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train `run` to its end, from its last snapshot in `folder` if there is one; returns its row.

    Leaves the model in the released format, `curve.parquet` and `domains.json` in `folder`.
    `stop` is asked after every step; once true, the state is written and Interrupted raised.
    """
    say = report or logging.getLogger(__name__).warning
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    folder.mkdir(parents=True, exist_ok=True)
    if execution.threads:
        torch.set_num_threads(execution.threads)
    reset_peak_memory()
    corpus = corpora.open_for(run, say)
    base = parents.folder(run.parent, folder.parent) if run.parent else None
    module = ParScaleModule(run, build_model(run, base), corpora.windows_of(run, corpus))
    watch = _Watch(run, folder, corpus, execution, stop)
    watch.progress = progress
    snapshot, damaged = snapshots.latest(folder)
    for path in damaged:
        say(f"{path}: fails its checksum; set aside")
    if snapshot is not None:
        snapshots.check(snapshot, run)
    with quiet():
        trainer = _trainer(run, folder, execution, watch)
        trainer.fit(module, ckpt_path=snapshot, weights_only=True if snapshot else None)
    if watch.interrupted:
        raise Interrupted(f"run {run.run_id} stopped at step {trainer.global_step}; its state is in {folder}")
    module.history.wall_s = watch.wall_s
    write_results(run, module, corpus, folder)
    if not module.history.diverged:
        checkpoint.save(module.model, folder, tokenizer=corpus.folder / "tokenizer.json")
    return row_of(run, module, watch.evaluation, started_at)


def _trainer(run: RunConfig, folder: Path, execution: Execution, watch: _Watch) -> L.Trainer:
    return L.Trainer(
        accelerator=execution.accelerator,
        devices=1,
        plugins=[LightningEnvironment()],  # never Slurm's: requeueing is the launcher's
        precision=PRECISION[run.precision],  # type: ignore[arg-type]
        max_steps=run.steps,
        max_epochs=-1,
        accumulate_grad_batches=run.accumulate,
        callbacks=[watch],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic=False,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice, tips and progress out of the output; errors still raise."""
    loggers = [
        logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if "lightning" in name
    ]
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


def write_results(run: RunConfig, module: ParScaleModule, corpus: corpora.Corpus, folder: Path) -> None:
    """Curve and per-domain losses of a run that has ended."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    points = module.history.points
    names = list(dict.fromkeys(name for point in points for name in point))
    columns: dict[str, pa.Array] = {"run_id": pa.array([run.run_id] * len(points), pa.string())}
    for name in names:
        kind = pa.int64() if name in ("step", "tokens") else pa.float64()
        columns[name] = pa.array([point.get(name) for point in points], kind)
    temporary = folder / ".curve.tmp"
    pq.write_table(pa.table(columns), temporary)
    temporary.replace(folder / "curve.parquet")
    by_domain = [
        {
            "run_id": run.run_id,
            "domain": name,
            "tokens": int(count),
            "loss": loss,
            "bits_per_byte": loss / math.log(2) / corpus.bytes_per_token(name),
        }
        for name, (loss, count) in module.history.domains.items()
    ]
    (folder / "domains.json").write_text(json.dumps(by_domain), encoding="utf-8")
