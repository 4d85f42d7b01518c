"""The configurations of the committed sweeps are those that the commands named for them give today."""

import json
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
OPTIONS = {  # of the command beside the grid's axes
    "laptop-two-stage": {"recipe": "two-stage", "stage2_share": 0.1},
    "laptop-peft": PEFT,
    "laptop-peft-apart": PEFT,
}
GPU = f"{ROOT}/results/grids/gpu.py"
MADE_BY |= {"gpu": f"{GPU}:muon_double", "gpu-prefix-alone": f"{GPU}:prefix_alone"}
MADE_BY |= {
    f"recipe/gpu/{folder.name}": f"{GPU}:{folder.name}" for folder in (SWEEPS / "recipe/gpu").iterdir()
}
OPTIONS |= {name: {"tokens": 10_000_000} for name in MADE_BY if name.startswith("recipe/gpu/")}
MADE_BY |= {
    f"recipe/{folder.name}": f"{ROOT}/results/grids/recipe.py:{folder.name}"
    for folder in sorted((SWEEPS / "recipe").iterdir())
    if folder.name != "gpu"
}
EXTRAS = f"{ROOT}/results/grids/extras.py"
MADE_BY |= {
    f"extras/{folder.name}": f"{EXTRAS}:{folder.name}"
    for folder in (SWEEPS / "extras").iterdir()
    if folder.is_dir()
}
MADE_BY["again"] = f"{EXTRAS}:same"  # on a CPU what an H100 had trained


def settings(text: str) -> dict:
    """A configuration without what is filled in from the corpus, the base's files and other runs' names."""
    found = json.loads(text)
    own = {} if found["recipe"] != "two-stage" else {"parent": ""}
    return found | {"corpus_hash": "", "parent_hash": ""} | own


@pytest.fixture
def base(tmp_path, monkeypatch):
    """The configuration and tokenizer of the checkpoint that frozen backbones come from."""
    folder = tmp_path / BASE
    folder.mkdir(parents=True)
    (run,) = grids.find("laptop")(Axes(sizes=("64x3",), streams=(1,), seeds=(0,)))
    (folder / "config.json").write_text(json.dumps(hf_config.to_json(run.model, "float32")))
    (folder / "tokenizer.json").write_text("{}")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("sweep", [name for name in MADE_BY if (SWEEPS / name).exists()])
def test_its_grid_gives_every_configuration_of_a_sweep(sweep, base):
    if not (files := list((SWEEPS / sweep / "configs").glob("*.json"))):
        pytest.fail(f"{sweep} has no configurations")
    grid = grids.find(MADE_BY[sweep])
    for file in files:
        found = settings(file.read_text())
        one = {"sizes": found["size"], "streams": found["model"]["P"]}
        one |= {"corpora": found["corpus"], "seeds": found["seed"]}
        runs = grid(Axes(**{axis: (value,) for axis, value in one.items()}, **OPTIONS.get(sweep, {})))
        assert found in [settings(run.to_json()) for run in runs], file.name


def test_every_committed_sweep_is_held():
    folders = {path.parent.relative_to(SWEEPS).as_posix() for path in SWEEPS.glob("**/sweep.json")}
    assert folders <= set(MADE_BY)


def test_the_page_of_trials_is_that_of_their_tables():
    assert (SWEEPS / "extras/README.md").read_text() == extras.page()
    assert set(extras.TRIALS) == {folder.name for folder in (SWEEPS / "extras").iterdir() if folder.is_dir()}


def test_runs_trained_again_on_other_hardware_have_the_same_losses():
    one, other = (
        pd.read_parquet(SWEEPS / name / "runs.parquet").set_index("run_id")
        for name in ("extras/same", "again")
    )
    devices = [set(runs["versions"].map(lambda text: json.loads(text)["device"])) for runs in (one, other)]
    assert not devices[0] & devices[1]
    assert set(other.index) < set(one.index)
    assert (other["loss"] - one["loss"]).abs().max() < 0.002
