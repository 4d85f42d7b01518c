"""The configurations of the committed sweeps are those that the commands named for them give today."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from sweeps import grids
from sweeps.axes import Axes

ROOT = Path(__file__).parents[1]
SWEEPS = ROOT / "results/sweeps"
MADE_BY = {"laptop": "laptop", "laptop-text": "laptop"}
CONTROL = f"{ROOT}/results/grids/controls.py:prefix_alone"
MADE_BY |= {"laptop-prefix-alone": CONTROL, "laptop-text-prefix-alone": CONTROL}
MADE_BY |= {
    f"recipe/{folder.name}": f"{ROOT}/results/grids/recipe.py:{folder.name}"
    for folder in sorted((SWEEPS / "recipe").iterdir())
}


def settings(text: str) -> dict:
    """A configuration without the hash of the corpus, which is filled in when the corpus is built."""
    return {**json.loads(text), "corpus_hash": ""}


@pytest.mark.parametrize("sweep", MADE_BY)
def test_its_grid_gives_every_configuration_of_a_sweep(sweep):
    grid, files = grids.find(MADE_BY[sweep]), list((SWEEPS / sweep / "configs").glob("*.json"))
    assert files
    for file in files:
        found = settings(file.read_text())
        one = {"sizes": found["size"], "streams": found["model"]["P"]}
        one |= {"corpora": found["corpus"], "seeds": found["seed"]}
        (run,) = grid(Axes(**{axis: (value,) for axis, value in one.items()}))
        assert settings(run.to_json()) == found, file.name


def test_every_committed_sweep_is_held():
    folders = {path.parent.relative_to(SWEEPS).as_posix() for path in SWEEPS.glob("**/sweep.json")}
    assert {name for name in folders if name.startswith(("laptop", "recipe"))} <= set(MADE_BY)
