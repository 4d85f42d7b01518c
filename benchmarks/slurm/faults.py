"""What is done to a sweep on Slurm, and what must come of it. Each writes results/benchmarks/slurm/NAME.log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.slurm.private_cluster import PrivateCluster

LOGS = Path("results/benchmarks/slurm")
SAME = ["run_id", "N", "P", "loss", "loss_se", "train_loss", "status", "ended_step", "ended_why"]
PATIENCE_S = 1800.0
QUEUE = "%.7F %.3K %.12j %.10P %.10T %.8M %.4N %R"


class Scene:
    """A sweep under one fault, and the log of it."""

    def __init__(self, name: str, cluster: PrivateCluster, corpus: str) -> None:
        self.name, self.cluster, self.corpus = name, cluster, corpus
        self.out, self.began, self.shown = cluster.folder / name, time.monotonic(), ""
        self.log = [f"# python -m benchmarks.slurm {name}"]
        self.log += ["# squeue: array, element, name, partition, state, time, node, node or reason"]
        self.drivers: list[subprocess.Popen[str]] = []
        self.queue: list[list[str]] = []

    def say(self, text: str) -> None:
        """A line of the log, with the seconds since the scene began."""
        private, here = str(self.cluster.folder.parent), str(Path.cwd())
        self.log += [
            f"{self.now():6.1f}  {line}".replace(private, "FOLDER").replace(here, ".")
            for line in text.splitlines()
        ]

    def now(self) -> float:
        """Seconds since the scene began."""
        return time.monotonic() - self.began

    def drive(self, *runs: str, pace: float = 0.0, out: Path | None = None, **launcher: object) -> None:
        """Start a driver. Without fields of a launcher it trains here, undisturbed."""
        fields = json.dumps(launcher)
        command = [
            sys.executable,
            "-m",
            "benchmarks.slurm.drive",
            str(out or self.out),
            self.corpus,
            fields,
            *runs,
        ]
        self.say(f"driver: {' '.join(runs)} (tokens:P), launcher {fields}, {pace} s of pause a step")
        environment = {**os.environ, "PACE": str(pace)}
        self.drivers.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )

    def look(self) -> list[list[str]]:
        """The elements of this sweep in the queue. Changes go into the log."""
        name = self.out / "checkpoints" / "slurm" / "name"
        if not name.exists():
            return []
        wanted = ["squeue", "--array", "--noheader", "--name", name.read_text(), "--format"]
        text = self.cluster.call(*wanted, QUEUE)
        lines = sorted(line for line in text.splitlines() if line.strip())
        shown = "\n".join(re.sub(r"\s\d+:\d\d\s", " ", line) for line in lines)  # without the time
        if shown != self.shown:
            self.shown = shown
            self.say("squeue:" + ("" if lines else " empty"))
            self.say("\n".join(lines))
        self.queue = [line.split() for line in lines]
        return self.queue

    def until(self, happened: Callable[[], object], what: str, code: int = 0) -> None:
        """Watch the queue until something has happened. The last driver may end with 0 or `code`."""
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {what} did not happen within {PATIENCE_S:.0f} s")
            if self.drivers and self.drivers[-1].poll() not in (None, 0, code):
                raise RuntimeError(
                    f"{self.name}: the driver ended: {self.drivers[-1].communicate()[0][-500:]}"
                )
            self.look()
            time.sleep(0.5)
        self.say(what)

    def running(self) -> int:
        """Elements that Slurm calls running."""
        return sum(row[4] == "RUNNING" for row in self.look())

    def snapshots(self) -> int:
        """Runs under way that have left one."""
        return len({path.parent for path in self.out.glob("checkpoints/*/step-*.ckpt")})

    def rows(self) -> int:
        """Runs that are finished."""
        return len(list(self.out.glob("checkpoints/*/row.json")))

    def arrays(self) -> int:
        """Arrays that were submitted."""
        return len(list(self.out.glob("checkpoints/slurm/*.session")))

    def finish(self, code: int = 0) -> None:
        """Wait for the last driver, and compare what it trained with the same runs undisturbed."""
        self.until(lambda: self.drivers[-1].poll() is not None, "the driver has ended", code)
        said = self.drivers[-1].communicate()[0].strip().splitlines()
        self.say("\n".join(said[-4:]))
        if self.drivers[-1].returncode != code:
            raise RuntimeError(
                f"{self.name}: the driver ended with {self.drivers[-1].returncode}: {said[-4:]}"
            )

    def equal(self, *runs: str, **how: object) -> None:
        """Hold the table against that of the same runs, undisturbed, on this machine. `how` is for the driver."""
        undisturbed = self.cluster.folder / f"{self.name}-undisturbed"
        self.drive(*runs, out=undisturbed, **how)
        self.drivers[-1].communicate()
        found = [pd.read_parquet(folder / "runs.parquet") for folder in (self.out, undisturbed)]
        tables = [
            table.reindex(columns=SAME) for table in found
        ]  # where all went well there is no ended_step
        pd.testing.assert_frame_equal(*tables, check_exact=True)
        self.say(f"{len(tables[0])} rows are equal, to the bit, to those of an undisturbed sweep")

    def element_logs(self) -> str:
        """What the elements wrote, the lines on being stopped and going on."""
        texts = [path.read_text() for path in sorted(self.out.glob("checkpoints/slurm/*.log"))]
        texts += [path.read_text() for path in self.out.glob("checkpoints/workers.log")]
        words = ("queue", "goes on", "CANCELLED", "TIME LIMIT", "PREEMPTION", "NODE FAILURE")
        return "\n".join(
            line for text in texts for line in text.splitlines() if any(w in line for w in words)
        )


def array(scene: Scene) -> None:
    """One long run outlives three short ones: their elements leave within 10 s."""
    runs = ("300000:1", "60000:2", "60000:3", "60000:4")
    scene.drive(*runs, pace=0.1, constraint="a", minutes=30)
    scene.until(lambda: scene.running() == 4, "four elements run")
    scene.until(lambda: scene.rows() == 3, "the last short run has ended")
    ended = scene.now()
    scene.until(lambda: scene.running() == 1, "one element is left")
    took = scene.now() - ended
    scene.say(f"idle allocations were released after {took:.1f} s")
    scene.finish()
    scene.equal(*runs)
    if took > 10:
        raise RuntimeError(f"array: idle elements stayed for {took:.1f} s")


def time_limit(scene: Scene) -> None:
    """A run longer than its element's time limit: requeued, and goes on from its state."""
    scene.drive("200000:1", pace=0.25, constraint="a", minutes=2)
    scene.until(lambda: any(row[4] == "PENDING" and scene.snapshots() for row in scene.look()), "requeued")
    scene.finish()
    scene.say(scene.element_logs())
    scene.equal("200000:1")


def pre_emption(scene: Scene) -> None:
    """A job of a higher partition takes the node of two runs."""
    runs = ("150000:1", "150000:2")
    scene.drive(*runs, pace=0.1, constraint="b", partition="low", minutes=30)
    scene.until(lambda: scene.running() == 2 and scene.snapshots() == 2, "both runs have a snapshot")
    wanted = ["sbatch", "--partition=high", "--constraint=b", "--exclusive", "--output=/dev/null"]
    scene.say(scene.cluster.call(*wanted, "--wrap=sleep 5"))
    scene.until(lambda: scene.running() == 0, "pre-empted")
    scene.finish()
    scene.say(scene.element_logs())
    scene.equal(*runs)


def node(scene: Scene) -> None:
    """A node dies with the run on it. The other node resumes it."""
    scene.drive("150000:1", pace=0.1, constraint="c", minutes=30)
    scene.until(lambda: scene.running() == 1 and scene.snapshots() == 1, "the run has a snapshot")
    name = scene.queue[0][6]
    scene.say(f"{name} and all that runs on it is killed")
    scene.cluster.kill_node(name)
    scene.finish()
    scene.say(scene.element_logs())
    scene.cluster.start_node(name)
    if "goes on from step" not in scene.element_logs():
        raise RuntimeError("the run was not resumed")
    scene.equal("150000:1")


def two_nodes(scene: Scene) -> None:
    """A run on two nodes loses the second: Slurm requeues it, and it goes on from its snapshot on both."""
    scene.drive("100000:1", pace=0.1, constraint="d", minutes=60, num_nodes=2)
    scene.until(lambda: scene.running() == 1 and scene.snapshots() == 1, "the run has a snapshot")
    names = scene.cluster.call("scontrol", "show", "hostnames", scene.queue[0][6]).split()
    scene.say(f"{names[1]} and all that runs on it is killed")
    scene.cluster.kill_node(names[1])
    scene.until(lambda: scene.running() == 0, "the element has ended")
    scene.cluster.start_node(names[1])
    scene.finish()
    scene.say(scene.element_logs())
    if "goes on from step" not in scene.element_logs():
        raise RuntimeError("the run was not gone on with")
    scene.equal("100000:1", devices=2)


def cancelled(scene: Scene) -> None:
    """One element of two is cancelled: the driver submits another for its run."""
    runs = ("150000:1", "150000:2")
    scene.drive(*runs, pace=0.1, constraint="a", minutes=30)
    scene.until(lambda: scene.running() == 2 and scene.snapshots() == 2, "both runs have a snapshot")
    one = f"{scene.queue[0][0]}_{scene.queue[0][1]}"
    scene.say(f"scancel {one}")
    scene.cluster.call("scancel", one)
    scene.until(lambda: len({row[0] for row in scene.look()}) == 2, "an element of another array is there")
    scene.finish()
    scene.say(scene.element_logs())
    scene.equal(*runs)


def driver_killed(scene: Scene) -> None:
    """The driver is killed and its elements go on. The next driver finds them and submits no more."""
    runs = ("150000:1", "150000:2")
    scene.drive(*runs, pace=0.1, constraint="a", minutes=30)
    scene.until(lambda: scene.running() == 2 and scene.snapshots() == 2, "both runs have a snapshot")
    scene.drivers[-1].kill()
    scene.say("the driver is killed (SIGKILL)")
    scene.drive(*runs, pace=0.1, constraint="a", minutes=30)
    scene.finish()
    if scene.arrays() != 1:
        raise RuntimeError(f"{scene.name}: {scene.arrays()} arrays were submitted")
    scene.equal(*runs)


def driver_stopped(scene: Scene) -> None:
    """A second driver attaches. When stopped, it leaves the first one's elements. The first, when stopped, ends them."""
    runs = ("200000:1", "200000:2")
    scene.drive(*runs, pace=0.1, constraint="a", minutes=30)
    scene.until(lambda: scene.running() == 2 and scene.snapshots() == 2, "both runs have a snapshot")
    scene.drive(*runs, pace=0.1, constraint="a", minutes=30)
    sessions = scene.out / "checkpoints" / "slurm"
    scene.until(lambda: len(list(sessions.glob("*.json"))) == 2, "the second driver is there")
    time.sleep(8)
    scene.drivers[1].send_signal(signal.SIGTERM)
    scene.finish(code=1)
    if scene.running() != 2:
        raise RuntimeError("the second driver took the first one's elements with it")
    scene.drivers.pop().wait()
    scene.drivers[0].send_signal(signal.SIGTERM)
    scene.finish(code=1)
    if scene.look():
        raise RuntimeError("a stopped driver left elements")
    scene.drive(*runs, constraint="a", minutes=30)
    scene.finish()
    scene.equal(*runs)


def killed_in_round_two(scene: Scene, run: str, pace: float, how: dict[str, Any]) -> None:
    """Search with `how`, kill the driver in the second round, and end the search with another."""
    scene.drive(run, pace=pace, constraint="a", minutes=30, **how)
    scene.until(lambda: scene.arrays() == 2 and scene.running(), "the second round runs")
    scene.drivers[-1].kill()
    scene.say("the driver is killed (SIGKILL)")
    scene.drive(run, pace=pace, constraint="a", minutes=30, **how)
    scene.finish()


def search(scene: Scene) -> None:
    """A search submits an array a round. Its driver is killed in the second: the next one decides as it would have."""
    how = {"search": "lr=1e-3..1e-1:5", "workers": 4}
    killed_in_round_two(scene, "40000:1", 0.2, how)
    scene.say(f"{scene.arrays()} arrays were submitted in all")
    scene.equal("40000:1", **how)


def stop_losers(scene: Scene) -> None:
    """A search that ends hopeless values by their forecast. Its driver is killed in the second round."""
    how = {"search": "lr=1e-5..3e-2:4", "stop_losers": True, "workers": 4}
    killed_in_round_two(scene, "80000:1", 0.1, how)
    table = pd.read_parquet(scene.out / "runs.parquet")
    ended = table.loc[table["status"] == "stopped", "ended_why"]
    scene.say("\n".join(ended))
    if not ended.str.contains("forecast").any():
        raise RuntimeError("no value was ended by its forecast")
    scene.equal("80000:1", **how)


def split(scene: Scene) -> None:
    """More elements than an array may have (MaxArraySize is 6 here), detached."""
    wanted = [
        "sweep",
        "ci",
        "--sizes",
        "32x1",
        "--tokens",
        "5000",
        "--seeds",
        "0,1,2,3,4,5,6",
        "--streams",
        "1",
    ]
    where = ["--corpora", scene.corpus, "--out", str(scene.out), "--launcher", "slurm", "--constraint", "a"]
    command = [sys.executable, "-m", "parscale", *wanted, *where, "--detach", "--time", "0:30:00"]
    scene.say("parscale sweep ci ... --launcher slurm --constraint a --detach --time 0:30:00")
    scene.say(scene.cluster.call(*command))
    scene.until(lambda: scene.rows() == 7 and not scene.look(), "every run has a row")
    scene.say(scene.cluster.call(sys.executable, "-m", "parscale", "status", str(scene.out)))
    if scene.arrays() != 2:
        raise RuntimeError("seven elements were not split into arrays of six and one")


def refused(scene: Scene) -> None:
    """Names unknown to Slurm are reported before anything is written. There is no accounting here."""
    sweep = [sys.executable, "-m", "parscale", "sweep", "ci", "--out", str(scene.out), "--launcher", "slurm"]
    for options in (
        ["--partition", "fast"],
        ["--constraint", "h100"],
        ["--gres", "gpu:8"],
        ["--exclude", "n99"],
        ["--sbatch=--no-such-option"],
        ["--sbatch=--reservation=lab"],
    ):
        scene.say(f"parscale sweep ci --launcher slurm {' '.join(options)}")
        scene.say(scene.cluster.call(*sweep, *options))
    scene.say("sacct: " + scene.cluster.call("sacct").strip())
    if scene.out.exists():
        raise RuntimeError("a refused call wrote a folder")


@contextmanager
def recorded(scene: Scene) -> Iterator[Scene]:
    """Write the log in any case, and end the drivers that are left."""
    try:
        yield scene
        scene.say("held")
    except Exception as error:
        scene.say(f"FAILED: {error}")
        raise
    finally:
        for driver in scene.drivers:
            if driver.poll() is None:
                driver.kill()
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / f"{scene.name}.log").write_text("\n".join(scene.log) + "\n")


FAULTS = {
    one.__name__: one
    for one in (
        array,
        time_limit,
        pre_emption,
        node,
        two_nodes,
        cancelled,
        driver_killed,
        driver_stopped,
        search,
        stop_losers,
        split,
        refused,
    )
}
