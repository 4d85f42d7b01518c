"""A Slurm of this machine's own: a controller and a few nodes in a private folder, on loopback, no accounting.

Needs the programs alone: `apt-get install slurmctld slurmd slurm-client munge`. Nothing of the system's own
Slurm, if there is one, is read or changed. What is started here is ended here, by its pid files.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import psutil

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")
PORT = 16817  # of the controller. Nodes have those above
READY_S = 60.0
CONFIGURATION = """\
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=20
KillWait=30
InactiveLimit=0
MaxArraySize={array}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=2,bf_interval=5
SlurmdParameters=config_overrides
"""


def missing_program() -> str:
    """A program of Slurm's that this machine lacks, or nothing."""
    return next((name for name in PROGRAMS if shutil.which(name) is None), "")


class PrivateCluster:
    """Nodes n1, n2, ... of eight CPUs each, with the features given. Partitions low and high, which pre-empts low."""

    def __init__(self, folder: Path, features: list[str], array: int = 1001) -> None:
        self.folder, self.features, self.array = folder, features, array
        self.nodes = [f"n{number}" for number, _ in enumerate(features, 1)]
        self.configuration = folder / "slurm.conf"

    def __enter__(self) -> PrivateCluster:
        (self.folder / "state").mkdir(parents=True)
        for folder in (self.folder, self.folder.parent):
            folder.chmod(0o711)  # munged wants its socket reachable
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        self.configuration.write_text(self._text())
        os.environ["SLURM_CONF"] = str(self.configuration)
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _text(self) -> str:
        host, user = socket.gethostname(), getpass.getuser()
        lines = [CONFIGURATION.format(host=host, port=PORT, folder=self.folder, user=user, array=self.array)]
        for number, (node, feature) in enumerate(zip(self.nodes, self.features, strict=True), 1):
            where = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={PORT + number}"
            lines.append(f"NodeName={node} {where} CPUs=8 RealMemory=8000 Feature={feature}\n")
        every = f"Nodes={','.join(self.nodes)} MaxTime=INFINITE State=UP"
        lines.append(
            f"PartitionName=low {every} Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=30\n"
        )
        lines.append(f"PartitionName=high {every} PriorityTier=10 PreemptMode=OFF\n")
        return "".join(lines)

    def _start(self) -> None:
        place = {
            "socket": "sock",
            "key-file": "key",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        files = [f"--{name}={self.folder}/munge.{end}" for name, end in place.items()]
        subprocess.run(["munged", *files], check=True)
        subprocess.run(["slurmctld", "-f", str(self.configuration)], check=True)
        for node in self.nodes:
            self.start_node(node)
        deadline = time.monotonic() + READY_S
        while self.call("sinfo", "--noheader", "--format=%T").split() not in (["idle"], ["idle"] * 2):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Slurm did not come up: see the logs in {self.folder}")
            time.sleep(0.5)

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        subprocess.run(["slurmd", "-N", node, "-f", str(self.configuration)], check=True)

    def kill_node(self, node: str) -> None:
        """End a node and all that runs on it, unannounced, as when its power fails."""
        doomed = [self._process(f"slurmd.{node}.pid")]
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                settings = process.environ()
                if (
                    settings.get("SLURMD_NODENAME") == node
                    and settings.get("SLURM_CONF") == os.environ["SLURM_CONF"]
                ):
                    parent = process.parent()
                    doomed += [process, *([parent] if parent and parent.name() == "slurmstepd" else [])]
        for process in filter(None, doomed):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _process(self, pid_file: str) -> psutil.Process | None:
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            return psutil.Process(int((self.folder / pid_file).read_text()))
        return None

    def call(self, *command: str) -> str:
        """The output of a command, errors included."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    def end(self) -> None:
        """Cancel what runs, then end the daemons that were started here."""
        daemons = ["slurmctld.pid", *(f"slurmd.{node}.pid" for node in self.nodes), "munge.pid"]
        deadline = time.monotonic() + READY_S
        if self._process("slurmctld.pid"):
            self.call("scancel", "--partition=low")
            while self.call("squeue", "--noheader").strip() and time.monotonic() < deadline:
                time.sleep(0.5)
        found = [process for name in daemons if (process := self._process(name))]
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGTERM)
        psutil.wait_procs(found, timeout=READY_S)
