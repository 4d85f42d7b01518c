"""The configurations of the committed sweeps are those that the commands named for them give today."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from sweeps import grids

ROOT = Path(__file__).parents[1]
SWEEPS = ROOT / "results/sweeps"
MADE_BY = {"laptop": "laptop", "laptop-prefix-alone": f"{ROOT}/results/grids/controls.py:prefix_alone"}
MADE_BY |= {
    f"recipe/{folder.name}": f"{ROOT}/results/grids/recipe.py:{folder.name}"
    for folder in sorted((SWEEPS / "recipe").iterdir())
}


def settings(text: str) -> dict:
    """A configuration without the hash of the corpus, which is filled in when the corpus is built."""
    return {**json.loads(text), "corpus_hash": ""}


@pytest.mark.parametrize("sweep", MADE_BY)
def test_its_grid_gives_every_configuration_of_a_sweep(sweep):
    known = [settings(run.to_json()) for run in grids.find(MADE_BY[sweep])()]
    files = list((SWEEPS / sweep / "configs").glob("*.json"))
    assert files
    for file in files:
        assert settings(file.read_text()) in known, file.name
