"""A trainer of a few lines, for tests of the driver: no torch, any behaviour, set by environment variables."""

import errno
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

from sweeps.driver import worker
from sweeps.store import checksums
from sweeps.training.interrupt import Interrupted


def _no_flock(*_):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


if os.environ.get("NO_FLOCK"):  # as on a network disk, for driver and workers
    fcntl.flock = fcntl.lockf = _no_flock


worker.IDLE_S = 0.05  # what is waited for comes soon
worker.free_threads = lambda threads, work: threads  # as on a quiet machine


def train(run, folder, *, execution, stop, progress, report):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "started").open("a") as file:
        file.write(f"{os.getpid()}\n")
    with (folder / "threads").open("a") as file:
        file.write(f"{execution.threads}\n")
    behaviour = json.loads(os.environ.get("FAKE", "{}")).get(f"{run.size}/{run.model.P}", "")
    if behaviour == "raise":
        raise RuntimeError("the model caught fire")
    if behaviour == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "die once" and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "stop":
        (folder / f"step-{1:09d}-{0:016x}.ckpt").touch()
        raise RuntimeError("it wants to go on later")
    if behaviour == "set aside":
        (folder / f"step-{1:09d}-{0:016x}.ckpt.damaged").touch()
    if behaviour == "damage":  # what others have finished
        table = folder.parents[1] / "runs.parquet"
        data = bytearray(table.read_bytes())
        data[len(data) // 2] ^= 1
        table.write_bytes(data)
    if behaviour.startswith("no file "):  # with this error number, from here on
        number = int(behaviour.removeprefix("no file "))

        def refuse(path, durable=True):
            raise OSError(number, os.strerror(number), str(path))

        checksums.replacing = refuse
    steps = 200 if behaviour == "slow" else 3
    for step in range(steps):
        if stop():
            raise Interrupted("stopped")
        progress({"step": step, "loss": 3.0, "tokens_per_s": 10.0, "eta_s": 1.0})
        time.sleep(0.02)
    status = "diverged" if behaviour == "diverge" else "ok"
    return row(run, status)


def starts(folder):
    """How often each run of a sweep was begun: {run_id: times}."""
    return {path.parent.name: len(path.read_text().split()) for path in folder.glob("checkpoints/*/started")}


def row(run, status="ok"):
    model = run.model
    return {
        "run_id": run.run_id, "sweep": run.sweep, "recipe": run.recipe, "corpus": run.corpus,
        "size": run.size, "N": model.N, "P": model.P, "D": run.D, "C": run.C,
        "loss": 3.0 + 1 / model.N, "loss_se": 0.01,
        "train_loss": 3.0, "seed": run.seed, "status": status, "config": run.to_json(),
    }  # fmt: skip


def main():
    """The ci grid's runs of P = 1 and 2 in the folder given."""
    from sweeps.corpora import build as corpora
    from sweeps.driver.run_sweep import run_sweep
    from sweeps.grids.grids import Axes, find

    corpora.bind = lambda configs, **more: list(configs)
    configs = find("ci")(Axes(streams=(1, 2)))
    result = run_sweep(configs, Path(sys.argv[1]), name="ci", trainer="fake_trainer:train")
    print(result.summary)
    return not result.ok


if __name__ == "__main__":
    sys.exit(main())
