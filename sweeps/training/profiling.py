"""A profile of a few steps of a run: a trace for chrome://tracing or Perfetto, and what takes the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch.profiler import ProfilerActivity, profile, schedule

WAIT, WARMUP, ACTIVE = 5, 2, 3  # micro-batches: left alone, traced and dropped, traced and kept
ROWS = 30


class Profile(Callback):
    """Traces micro-batches of this process: `profile/trace-RANK.json.gz` and `profile/operators-RANK.txt`."""

    def __init__(self, folder: Path, steps: int) -> None:
        """`steps`: micro-batches that the run has left; of a short one, the last are traced."""
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
