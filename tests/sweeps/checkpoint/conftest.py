"""A checkpoint to damage."""

import shutil
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def p2(tmp_path):
    """A copy of the official P = 2 checkpoint, to be damaged."""
    return Path(shutil.copytree(FIXTURES / "official_p2", tmp_path / "p2"))
