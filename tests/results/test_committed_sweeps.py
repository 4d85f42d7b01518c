"""The configurations of the committed sweeps are those that the commands named for them give today."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("torch")

from results.grids import extras
from sweeps.checkpoint import hf_config
from sweeps.grids import grids
from sweeps.grids.axes import Axes

ROOT = Path(__file__).parents[2]
SWEEPS = ROOT / "results/sweeps"
MADE_BY = dict.fromkeys(("laptop", "laptop-text", "laptop-two-stage", "laptop-peft"), "laptop")
CONTROLS = f"{ROOT}/results/grids/controls.py"
MADE_BY |= dict.fromkeys(("laptop-prefix-alone", "laptop-text-prefix-alone"), f"{CONTROLS}:prefix_alone")
MADE_BY |= {"laptop-peft-apart": f"{CONTROLS}:apart", "laptop-text-slow": f"{CONTROLS}:slow"}
BASE = "results/sweeps/laptop-text/checkpoints/948c0f3ec0964da4"  # 64x3, P = 1, seed 0
PEFT = {"recipe": "peft", "tokens": 1_000_000, "base": BASE}
OPTIONS = {  # of the command in addition to the grid's axes
    "laptop-two-stage": {"recipe": "two-stage", "stage2_share": 0.1},
    "laptop-peft": PEFT,
    "laptop-peft-apart": PEFT,
}
GRIDS = f"{ROOT}/results/grids"
MADE_BY |= {"gpu": f"{GRIDS}/gpu.py:muon_double", "gpu-prefix-alone": f"{GRIDS}/gpu.py:prefix_alone"}
MADE_BY |= {"schedules": f"{GRIDS}/schedules.py", "rates": "ci", "width-transfer": "ci"}
MADE_BY |= {
    "worth": f"{GRIDS}/worth.py",
    "worth-thinking": f"{GRIDS}/worth.py:thinking",
    "worth-once": f"{GRIDS}/worth.py:once",
}
MADE_BY["again"] = f"{GRIDS}/extras.py:same"  # on a CPU what an H100 had trained
SEARCHES = {name: f"{GRIDS}/{file}.py" for name, file in
            {"recipe": "recipe", "gpu-recipe": "gpu", "extras": "extras", "worth-rates": "worth"}.items()}  # fmt: skip
OPTIONS |= {"rates": {"tokens": 200_000}, "width-transfer": {"tokens": 150_000}}
OTHERS = {
    "rates": ("lr",),
    "width-transfer": ("optimizer", "mup_base", "lr"),
    "gpu-prefix-alone": ("precision",),
}  # searched, or --axis
OPTIONS["gpu-recipe"] = {"tokens": 10_000_000}


def committed(pattern: str) -> list[Path]:
    """The files below results/sweeps that git tracks, without what a user has trained there."""
    command = ["git", "ls-files", "-z", "--", f":(glob)results/sweeps/{pattern}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).exists()]


def configurations(folder: Path) -> list[str]:
    """The configurations in a sweep's folder: one file for each run without a row."""
    files = sorted((folder / "configs").glob("*.json"))
    return [*pd.read_parquet(folder / "runs.parquet")["config"], *(file.read_text() for file in files)]


def settings(text: str) -> dict:
    """A configuration without the fields filled in from the corpus, the base's files, the memory and other runs."""
    found = json.loads(text)
    own = {} if found["recipe"] != "two-stage" else {"parent": ""}
    return found | {"corpus_hash": "", "parent_hash": "", "accumulate": 1} | own


@pytest.fixture
def base(tmp_path, monkeypatch):
    """The configuration and tokenizer of the checkpoint that frozen backbones come from."""
    folder = tmp_path / BASE
    folder.mkdir(parents=True)
    (run,) = grids.find("laptop")(Axes(sizes=("64x3",), streams=(1,), seeds=(0,)))
    (folder / "config.json").write_text(json.dumps(hf_config.hf_json(run.model, "float32")))
    (folder / "tokenizer.json").write_text("{}")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("sweep", [name for name in (*MADE_BY, *SEARCHES) if (SWEEPS / name).exists()])
def test_its_grid_gives_every_configuration_of_a_sweep(sweep, base):
    texts = configurations(SWEEPS / sweep)
    assert texts
    for text in texts:
        found = settings(text)
        trial = found["sweep"].partition("-")[2]  # e.g. recipe-b8
        grid = grids.find(MADE_BY.get(sweep) or f"{SEARCHES[sweep]}:{trial}")
        one = {"sizes": found["size"], "streams": found["model"]["P"]}
        one |= {"corpora": found["corpus"], "seeds": found["seed"]}
        others = {axis: ((found | found["model"]).get(axis, 0),) for axis in OTHERS.get(sweep, ())}
        given = {axis: (value,) for axis, value in one.items()}
        runs = grid(Axes(**given, **OPTIONS.get(sweep, {}), others=others))
        assert found in [settings(run.to_json()) for run in runs], (found["sweep"], found["size"])


def test_every_committed_sweep_is_held():
    assert {path.parent.name for path in committed("*/sweep.json")} <= {*MADE_BY, *SEARCHES}
    assert not committed("*/*/**/sweep.json")  # the trials of a search are rows of its table


def test_no_committed_configuration_is_there_twice():
    for file in committed("**/configs/*.json"):
        runs = pd.read_parquet(file.parents[1] / "runs.parquet")
        assert file.stem not in set(runs["run_id"]), file


def test_curves_and_domains_are_those_of_the_runs():
    lost = {"gpu": 2, "rates": 8}  # runs without a curve, or without losses by domain
    for file in committed("*/runs.parquet"):
        known = set(pd.read_parquet(file)["run_id"])
        for other in (
            path for name in ("curves", "domains") if (path := file.with_name(f"{name}.parquet")).exists()
        ):
            found = set(pd.read_parquet(other, columns=["run_id"])["run_id"])
            assert found <= known, other
            assert len(known - found) <= lost.get(file.parent.name, 0), other


@pytest.mark.parametrize("search", [name for name in SEARCHES if (SWEEPS / name).exists()])
def test_a_search_tells_the_rule_of_each_trial(search):
    told = json.loads((SWEEPS / search / "sweep.json").read_text())["trials"]
    assert set(told) == set(pd.read_parquet(SWEEPS / search / "runs.parquet")["sweep"])


def test_the_page_of_trials_is_that_of_their_tables():
    assert (SWEEPS / "extras/README.md").read_text() == extras.page()
    trials = pd.read_parquet(SWEEPS / "extras/runs.parquet")["sweep"]
    assert {f"extras-{name}" for name in extras.TRIALS} == set(trials)


def test_runs_trained_again_on_other_hardware_have_the_same_losses():
    one, other = (
        pd.read_parquet(SWEEPS / name / "runs.parquet").set_index("run_id") for name in ("extras", "again")
    )
    one = one[one["sweep"] == "extras-same"]
    devices = [set(runs["versions"].map(lambda text: json.loads(text)["device"])) for runs in (one, other)]
    assert not devices[0] & devices[1]
    assert set(other.index) < set(one.index)
    assert (other["loss"] - one["loss"]).abs().max() < 0.002
