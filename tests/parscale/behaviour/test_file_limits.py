"""A file that is too large to read whole is refused in one line with its name and the limit."""

import json

import pytest

from analysis.costs.hardware import read_hardware
from scaling import Fit
from scaling.data import limits
from sweeps.checkpoint import released_format
from sweeps.grids import recipes


@pytest.mark.parametrize(
    "read",
    [
        lambda path: Fit.load(path),
        lambda path: read_hardware(path),
        lambda path: released_format.read_config(path.parent),
        lambda path: recipes._read_shape(path.parent),
    ],
    ids=["fit", "hardware", "checkpoint", "base"],
)
def test_a_description(tmp_path, monkeypatch, read):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"name": "x" * 100}))
    monkeypatch.setattr(limits, "JSON", 99)
    with pytest.raises(ValueError, match=r"^\S*config.json: 112 bytes.* 99 "):
        read(path)
