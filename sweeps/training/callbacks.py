"""What goes on next to a run's training steps: evaluation, reports, snapshots, and stopping when asked."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, Logger
from torch.profiler import ProfilerActivity, profile, schedule

from sweeps.config.execution import Execution
from sweeps.config.run import RunConfig
from sweeps.corpora.corpus import Corpus
from sweeps.store.curve_files import SO_FAR, write_curve
from sweeps.training import snapshots
from sweeps.training.evaluate import Evaluation, evaluate_corpus
from sweeps.training.lightning_module import ParScaleModule
from sweeps.training.loggers import log_point
from sweeps.training.samples import Samples

Progress = Callable[[dict[str, Any]], None]
WAIT, WARMUP, ACTIVE = 5, 2, 3  # of a profile, micro-batches: left alone, traced and dropped, traced and kept
ROWS = 30  # of its table of operators


class Watch(Callback):
    """Evaluates when due, reports, snapshots every n minutes and when asked to stop."""

    def __init__(
        self,
        run: RunConfig,
        folder: Path,
        corpus: Corpus,
        execution: Execution,
        stop: Callable[[], bool],
        progress: Progress | None = None,
    ) -> None:
        self.run, self.folder, self.corpus, self.execution, self.stop = run, folder, corpus, execution, stop
        self.progress = progress
        self.evaluation: Evaluation | None = None
        self.interrupted = self.paused = False
        self.started = self.last_snapshot = time.monotonic()
        self.last_report = -math.inf
        self.written = 0  # points of the curve that `parscale status` can read
        self.before_s = 0.0  # training time of earlier sessions
        self.samples: Samples | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Note where this session starts."""
        assert isinstance(module, ParScaleModule)
        self.before_s = module.history.wall_s
        self.first_step = trainer.global_step
        if self.execution.until and trainer.global_step >= self.execution.until:  # killed once it was there
            self.paused = trainer.should_stop = True
        if self.execution.samples and trainer.is_global_zero:
            self.samples = Samples(self.folder, self.corpus, self.execution.samples, self.first_step)
        self.logged = len(module.history.points)  # points of the curve that the loggers have
        csv: list[Logger] = [logger for logger in trainer.loggers if isinstance(logger, CSVLogger)]
        for point in module.history.points if csv else ():  # it starts its file again
            log_point(csv, point)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """After an optimiser step: what is due."""
        assert isinstance(module, ParScaleModule)
        step = trainer.global_step
        if not module.finish_step() or module.history.diverged:
            return
        if step in evaluation_steps(self.run):
            self.evaluation = self._evaluate(trainer, module)
            module.record_evaluation(self.evaluation)
            if self.samples:
                context = trainer.precision_plugin.forward_context
                self.samples.write(module.model, step, context, trainer.loggers)
        self._log(trainer, module)
        self._report(module, step)
        held_out = self.evaluation.loss if self.evaluation else 0.0
        if not math.isfinite(held_out):
            module.history.diverged = f"the validation loss is {held_out} at step {step}"
            trainer.should_stop = True
        if step == self.run.steps or module.history.diverged:
            return
        self.paused = step == self.execution.until
        due = self.paused or time.monotonic() - self.last_snapshot > 60 * self.execution.checkpoint_minutes
        # One rank's word is every rank's: they must write and stop after the same step.
        due = trainer.strategy.reduce_boolean_decision(due, all=False)
        self.interrupted = trainer.strategy.reduce_boolean_decision(self.stop(), all=False)
        if due or self.interrupted:
            module.history.wall_s = self.wall_s
            self._snapshot(trainer, step)
        if self.interrupted or self.paused:
            trainer.should_stop = True

    def _log(self, trainer: L.Trainer, module: ParScaleModule) -> None:
        """Pass the curve's new points to Lightning's loggers."""
        for point in module.history.points[self.logged :] if trainer.loggers else ():
            log_point(trainer.loggers, point)
        self.logged = len(module.history.points)

    @property
    def wall_s(self) -> float:
        """Seconds spent on this run, earlier sessions included."""
        return self.before_s + time.monotonic() - self.started

    def _evaluate(self, trainer: L.Trainer, module: ParScaleModule) -> Evaluation:
        context = trainer.precision_plugin.forward_context
        return evaluate_corpus(module.model, self.corpus, self.run, context)

    def _report(self, module: ParScaleModule, step: int) -> None:
        now = time.monotonic()
        if self.progress is None or (now - self.last_report < self.execution.report_seconds):
            return
        self.last_report = now
        if len(module.history.points) > self.written:
            self.written = len(module.history.points)
            write_curve(self.run.run_id, module.history.points, self.folder / SO_FAR)
        done = (step - self.first_step) * self.run.batch_tokens
        speed = done / max(now - self.started, 1e-9)
        left = (self.run.steps - step) * self.run.batch_tokens / max(speed, 1e-9)
        loss = module.history.mean(20)
        self.progress(
            {"step": step, "loss": loss, "tokens_per_s": speed, "eta_s": left, "wall_s": self.wall_s}
        )

    def _snapshot(self, trainer: L.Trainer, step: int) -> None:
        temporary = self.folder / f".snapshot-{os.getpid()}.tmp"
        temporary = trainer.strategy.broadcast(temporary)
        try:
            trainer.save_checkpoint(temporary)  # by every rank: each may hold a share
            if trainer.is_global_zero:
                snapshots.publish(temporary, step)
            trainer.strategy.barrier()
        finally:
            if trainer.is_global_zero:
                snapshots.remove(temporary)
        self.last_snapshot = time.monotonic()


@cache
def evaluation_steps(run: RunConfig) -> frozenset[int]:
    """The steps after which the validation loss is measured. The last step is one of them."""
    return frozenset(round(run.steps * (i + 1) / run.evaluations) for i in range(run.evaluations))


class StepProfile(Callback):
    """Traces a few micro-batches of this process: `profile/trace-RANK.json.gz`, for Perfetto or chrome://tracing, and
    `profile/operators-RANK.txt`, what takes the time.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        """`steps`: micro-batches that the run has left. Of a short one, the last are traced."""
        self.folder = folder / "profile"
        self.wait = max(0, min(WAIT, steps - WARMUP - ACTIVE))
        self.running: profile | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Begin."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rank = trainer.global_rank
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
        when = schedule(wait=self.wait, warmup=WARMUP, active=ACTIVE, repeat=1)
        self.running = profile(
            activities=activities,
            schedule=when,
            on_trace_ready=self._write,
            record_shapes=True,
            profile_memory=True,
        )
        self.running.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One micro-batch further."""
        if self.running:
            self.running.step()

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """End, whatever has been traced."""
        self._end()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        """End with the run."""
        self._end()

    def _end(self) -> None:
        if self.running:
            self.running.stop()
        self.running = None

    def _write(self, traced: profile) -> None:
        """The trace, and a table of the operators that take the most time."""
        order = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        table = traced.key_averages().table(sort_by=order, row_limit=ROWS)
        (self.folder / f"operators-{self.rank}.txt").write_text(table, encoding="utf-8")
        traced.export_chrome_trace(str(self.folder / f"trace-{self.rank}.json.gz"))
