"""The Slurm launcher, with Slurm's answers made up: what it submits, refuses, finds, stops and leaves."""

import dataclasses

import pytest

from sweeps.config.execution import Execution
from sweeps.driver.clusters import slurm as module
from sweeps.driver.clusters import slurm_queue
from sweeps.driver.clusters.node import stop_file
from sweeps.driver.clusters.slurm import SlurmLauncher
from sweeps.driver.clusters.slurm_element import fatal_file, slurm_folder
from sweeps.driver.clusters.slurm_queue import Refused


class Slurm:
    """Answers as the commands would. Elements are in `queue`, by name: (job's name, state)."""

    def __init__(self):
        self.queue, self.submitted, self.size, self.refuses, self.cancelled = {}, [], 1001, "", []

    def ask(self, program, *argv):
        return getattr(self, program)(*argv)

    def sbatch(self, *argv):
        if self.refuses:
            raise Refused(self.refuses)
        if "--test-only" in argv:
            return ""
        self.submitted.append(argv)
        [last] = [int(one.rpartition("-")[2]) for one in argv if one.startswith("--array=")]
        [name] = [one.partition("=")[2] for one in argv if one.startswith("--job-name=")]
        array = str(len(self.submitted))
        self.queue |= {f"{array}_{index}": (name, "PENDING") for index in range(last + 1)}
        return f"{array}\n"

    def squeue(self, *argv):
        name = argv[argv.index("--name") + 1]
        mine = {at: state for at, (own, state) in self.queue.items() if own == name}
        return "".join(f"{at.replace('_', ' ')} {state}\n" for at, state in mine.items())

    def scancel(self, *names):
        self.cancelled += names
        for name in names:
            del self.queue[name]
        return ""

    def scontrol(self, _, what):
        return (
            f"MaxArraySize   = {self.size}\n"
            if what == "config"
            else "PartitionName=low\nPartitionName=high\n"
        )

    def run(self):
        self.queue = {at: (name, "RUNNING") for at, (name, _) in self.queue.items()}


@pytest.fixture
def slurm(monkeypatch):
    found = Slurm()
    monkeypatch.setattr(slurm_queue, "ask", found.ask)
    monkeypatch.setattr(slurm_queue, "missing_command", lambda: "")
    monkeypatch.setattr(module, "QUERY_S", 0.0)
    monkeypatch.setattr(module, "STOP_S", 0.0)
    return found


def test_every_option_reaches_sbatch(slurm, job):
    given = {"partition": "long", "account": "lab", "qos": "high", "mem": "64G", "constraint": "a100",
             "exclude": "n[3-5]", "gres": "gpu:2", "gpus": 2, "cpus": 8, "minutes": 90,
             "sbatch": "--nice=100 --comment='two words'", "setup": "module load cuda"}  # fmt: skip
    launcher = SlurmLauncher(**given)
    assert {field.name for field in dataclasses.fields(launcher)} == set(given)
    launcher.start(dataclasses.replace(job, execution=Execution(num_nodes=3)), 2)
    launcher.stop()
    [told] = slurm.submitted
    for option in ("--partition=long", "--account=lab", "--qos=high", "--mem=64G", "--constraint=a100",
                   "--exclude=n[3-5]", "--gres=gpu:2", "--gpus-per-node=2", "--cpus-per-task=8", "--nodes=3",
                   "--time=90", "--nice=100", "--comment=two words", "--array=0-1", "--requeue"):  # fmt: skip
        assert option in told
    assert not [one for one in SlurmLauncher().options(Execution()) if "None" in one or "account" in one]
    script = next(slurm_folder(launcher.folder).glob("*.sh")).read_text().splitlines()
    assert script.index("module load cuda") < script.index(next(line for line in script if "exec" in line))


def test_arrays_are_split_where_slurm_s_are_smaller_and_shared_by_drivers(slurm, job):
    slurm.size = 2
    first, second = SlurmLauncher(), SlurmLauncher()
    first.start(job, 3)
    assert [len([at for at in slurm.queue if at.startswith(array)]) for array in "12"] == [2, 1]
    second.start(dataclasses.replace(job, session="another"), 3)
    assert len(slurm.submitted) == 2
    second.stop()
    assert len(slurm.queue) == 3  # they are the first one's, which lives
    assert "1, 2" in first.detach()
    third = SlurmLauncher()
    third.start(dataclasses.replace(job, session="third"), 3)
    third.stop()
    assert not slurm.queue
    assert stop_file(job).exists()
    assert not list(launcher_locks(third))


def launcher_locks(launcher):
    return (launcher.folder / "locks").glob("driver-*")


def test_an_element_that_ended_is_replaced_while_its_run_is_free(slurm, job, store):
    launcher = SlurmLauncher()
    launcher.start(job, 2)
    slurm.run()
    assert launcher.poll()
    assert len(slurm.submitted) == 1
    slurm.queue.popitem()
    assert launcher.poll()
    assert len(slurm.submitted) == 2
    assert len(slurm.queue) == 2
    slurm.refuses = "Unable to contact slurm controller"
    slurm.queue.popitem()
    assert launcher.poll()  # later
    slurm.refuses = ""
    for run_id in job.run_ids:
        store.note(run_id, state="failed", failed_in=["mine"])
    assert not launcher.poll()
    fatal_file(launcher.folder, "mine").write_text("the disk is full")
    with pytest.raises(OSError, match="the disk is full"):
        launcher.poll()
    launcher.stop()


def test_fewer_are_submitted_where_slurm_limits_them(slurm, job, monkeypatch):
    def sbatch(*argv):
        if not any(one in argv for one in ("--array=0-0", "--test-only")):
            raise Refused(
                "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
            )
        return Slurm.sbatch(slurm, *argv)

    monkeypatch.setattr(slurm, "sbatch", sbatch)
    launcher = SlurmLauncher()
    launcher.start(job, 3)
    assert len(slurm.queue) == 1
    launcher.stop()


NO_ACCOUNT = "Invalid account or account/partition combination specified"


@pytest.mark.parametrize(
    ("words", "given", "says"),
    [
        ("Invalid partition name specified", {"partition": "fast"}, "--partition.*Slurm.*partition"),
        (NO_ACCOUNT, {"partition": "fast", "account": "lab"}, "--partition.*--account lab"),
        (NO_ACCOUNT, {}, "--account"),
    ],
)
def test_what_slurm_refuses_is_named_before_a_folder_is_written(slurm, words, given, says):
    launcher = SlurmLauncher(**given)
    slurm.refuses = words
    with pytest.raises(ValueError, match=says):
        launcher.share("auto", 3)
    slurm.refuses = "Requested node configuration is not available"  # while its nodes are down
    assert launcher.share("auto", 3) == (3, 1)
    assert launcher.share(2, 3) == (2, 1)


def test_a_refusal_of_the_jobs_themselves_is_told(slurm, job):
    slurm.refuses = "Requested node configuration is not available"
    launcher = SlurmLauncher(gpus=8)
    with pytest.raises(OSError, match=r"--gpus.*8"):
        launcher.start(job, 2)
    launcher.stop()
