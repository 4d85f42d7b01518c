"""Slurm's commands in a few lines: elements are processes of this machine, requeued ones start at once.

`install(folder)` writes sbatch, squeue, scancel and scontrol into folder/bin. What is in the queue is a file
an element, in folder/queue. It is removed when its element ends.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

NAMES = ("sbatch", "squeue", "scancel", "scontrol")


def install(folder, array_size=1001):
    """The folder to put on the PATH."""
    for part in ("bin", "queue"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "array_size").write_text(str(array_size))
    for name in NAMES:
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -ES {__file__} {folder} {name} "$@"\n')
        program.chmod(0o755)
    return str(folder / "bin")


def sbatch(folder, *argv):
    given = dict(one.removeprefix("--").partition("=")[::2] for one in argv if one.startswith("--"))
    if "test-only" in given:
        return
    [*_, script] = [one for one in argv if one.endswith(".sh")]
    array = str(len(list(folder.glob("array-*"))) + 1)
    (folder / f"array-{array}").write_text(json.dumps(argv))
    for index in range(int(given["array"].partition("-")[2]) + 1):
        element = {"name": given["job-name"], "array": array, "index": index, "script": script,
                   "arguments": argv[argv.index(script) + 1 :], "cwd": given["chdir"],
                   "log": given["output"].replace("%A", array).replace("%a", str(index))}  # fmt: skip
        (folder / "queue" / f"{array}{index}").write_text(json.dumps(element))
        own = [sys.executable, "-ES", __file__, str(folder), "element", f"{array}{index}"]
        subprocess.Popen(own, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(array)


def element(folder, job):
    """Run an element, again as long as it asks for it."""
    entry, again, restarts = folder / "queue" / job, folder / f"again-{job}", 0
    facts = json.loads(entry.read_text())
    while True:
        settings = {**os.environ, "SLURM_JOB_ID": job, "SLURM_RESTART_COUNT": str(restarts)}
        with open(facts["log"], "a") as log:
            command = ["bash", facts["script"], *facts["arguments"]]
            process = subprocess.Popen(command, env=settings, cwd=facts["cwd"], stdout=log, stderr=log)
            entry.write_text(json.dumps({**facts, "pid": process.pid}))
            process.wait()
        if not again.exists():
            entry.unlink()
            return
        again.unlink()
        restarts += 1


def squeue(folder, *argv):
    for entry in sorted((folder / "queue").iterdir()):
        facts = json.loads(entry.read_text() or "{}")
        if "--job" in argv and entry.name == argv[argv.index("--job") + 1]:
            print("RUNNING")
        elif "--name" in argv and facts.get("name") == argv[argv.index("--name") + 1]:
            print(facts["array"], facts["index"], "RUNNING")


def scancel(folder, *names):
    for name in names:
        facts = json.loads((folder / "queue" / name.replace("_", "")).read_text())
        os.kill(facts["pid"], signal.SIGTERM)


def scontrol(folder, what, which):
    if what == "requeue":
        (folder / f"again-{which}").touch()
    elif which == "config":
        print("MaxArraySize            =", (folder / "array_size").read_text())


if __name__ == "__main__":
    globals()[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
