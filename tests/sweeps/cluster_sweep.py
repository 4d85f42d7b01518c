"""Small sweeps through a launcher, as programs: `python cluster_sweep.py ray|search|slurm|local OUT CORPUS`.

ray starts two nodes on this machine and kills one, with all it runs, once its run has left a snapshot.
search is that of searched_trainer.py on a Ray cluster of two CPUs. Its driver is killed in the second round.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

from sweeps.config.execution import Execution
from sweeps.driver.clusters.ray_cluster import RayLauncher
from sweeps.driver.clusters.slurm import SlurmLauncher
from sweeps.driver.run_sweep import run_sweep
from sweeps.grids.grids import Axes, find
from tests.sweeps import fake_slurm

OFTEN = Execution(accelerator="cpu", checkpoint_minutes=0.005, threads=1)


def runs(corpus):
    made = find("ci")(Axes(sizes=("64x2",), streams=(1, 2), corpora=(corpus,), tokens=200_000))
    return [replace(run, eval_tokens=2000) for run in made]


def sweep(out, corpus, launcher, workers):
    result = run_sweep(runs(corpus), Path(out), launcher=launcher, workers=workers, execution=OFTEN)
    print(json.dumps({"ok": result.ok, "summary": result.summary, "trained": result.trained}))


def on_ray(out, corpus):
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    threading.Thread(target=kill, args=(cluster, second, Path(out)), daemon=True).start()
    try:
        sweep(out, corpus, RayLauncher(cluster.address), "auto")
    finally:
        ray.shutdown()
        cluster.shutdown()


def search_on_ray(out, corpus):
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    drive = [sys.executable, str(Path(__file__).with_name("searched_trainer.py")), out, cluster.address]
    try:
        with subprocess.Popen(drive, stdout=subprocess.DEVNULL) as driver:
            while max(map(trained, Path(out).glob("checkpoints/*/threads")), default=0) < 2:
                time.sleep(0.05)
            driver.kill()
        ended = subprocess.run(drive, stdout=subprocess.DEVNULL, check=False).returncode
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps({"killed": driver.returncode, "ended": ended}))


def trained(file):
    """How often a run of searched_trainer.py was begun or taken farther."""
    return len(file.read_text().splitlines())


def wait_for_snapshots(out):
    """Until both runs have one."""
    while len({path.parent for path in out.glob("checkpoints/*/step-*.ckpt")}) < 2:
        time.sleep(0.05)


def kill(cluster, node, out):
    """Once both runs have a snapshot, end a node and every process below it, unannounced."""
    wait_for_snapshots(out)
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    for process in [raylet, *raylet.children(recursive=True)]:
        if "multiprocessing.forkserver" in " ".join(process.cmdline()):
            (out / "killed").write_text(str(process.pid))
        process.kill()
    cluster.remove_node(node, allow_graceful=False)


def on_slurm(out, corpus):
    """A fake Slurm: one element gets the signal of its time limit."""
    slurm = Path(out).parent / "slurm"
    os.environ["PATH"] = f"{fake_slurm.install(slurm)}{os.pathsep}{os.environ['PATH']}"

    def warn():
        wait_for_snapshots(Path(out))
        element = json.loads(next((slurm / "queue").iterdir()).read_text())
        os.kill(element["pid"], signal.SIGUSR2)
        (Path(out) / "warned").touch()

    threading.Thread(target=warn, daemon=True).start()
    sweep(out, corpus, SlurmLauncher(minutes=10), 2)


def on_local(out, corpus):
    sweep(out, corpus, "local", 2)


if __name__ == "__main__":
    {"ray": on_ray, "search": search_on_ray, "slurm": on_slurm, "local": on_local}[sys.argv[1]](*sys.argv[2:])
