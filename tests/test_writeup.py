"""The write-up of our own experiment quotes commands: each is run here and must print what stands there."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import parscale
from analysis.quote import BLOCK, quoted

ROOT = Path(__file__).parents[1]
README = (ROOT / "results/README.md").read_text(encoding="utf-8")
TEXT = README.partition("<!-- begin: parscale reproduce -->")[0]
FOLDERS = sorted({ROOT / found for found in re.findall(r"results/sweeps/(?:laptop|gpu)[\w-]*", TEXT)})
NUMBER = re.compile(r"(?<![\w.])[+-]?\d*\.\d{2,}")  # at least two decimals: measured, not chosen


@pytest.fixture
def beside_results(tmp_path, monkeypatch):
    """The committed runs where the commands look for them, so that what they write lands elsewhere."""
    for folder in FOLDERS:
        shutil.copytree(folder, tmp_path / folder.relative_to(ROOT))
    monkeypatch.chdir(tmp_path)


def run(words: list[str], capsys) -> str:
    """What a command prints."""
    capsys.readouterr()
    assert parscale.main(words) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", [block[2] for block in BLOCK.finditer(TEXT)])
def test_a_quoted_command_prints_what_is_quoted(command, beside_results, capsys):
    (block,) = (found[0] for found in BLOCK.finditer(TEXT) if found[2] == command)
    assert quoted(block, lambda words: run(words, capsys)) == block


def test_every_number_of_the_prose_stands_in_a_quoted_output_or_is_a_loss():
    outputs = "\n".join(found[0] for found in BLOCK.finditer(TEXT))
    known = {float(number) for number in NUMBER.findall(outputs)}
    for folder in FOLDERS:
        known |= set(pd.read_parquet(folder / "runs.parquet")["loss"])
    prose = BLOCK.sub("", TEXT)
    for number in NUMBER.findall(prose):
        digits = len(number.rpartition(".")[2])
        assert any(round(value, digits) == float(number) for value in known), number
