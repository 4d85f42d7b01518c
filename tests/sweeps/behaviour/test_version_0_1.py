"""Sweeps that version 0.1 left on disk are resumed, gathered and read (tests/fixtures/version_0_1)."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch

import parscale
from scaling import read_runs

FIXTURE = Path(__file__).parents[2] / "fixtures/version_0_1/sweep"
ARGUMENTS = ["ci", "--sizes", "32x1", "--streams", "1,2", "--tokens", "800000", "--repeat"]
ONE_THREAD = ["--workers", "1", "--threads", "1"]
UNDISTURBED = 4.056331002049155  # validation loss of P = 1 of the run that was not stopped


def write_text(folder):
    """The corpus of the fixture: 160 files of made-up words, from seed 20."""
    generator = random.Random(20)
    consonants, vowels = "bcdfghklmnprstvw", "aeiou"

    def syllable():
        return generator.choice(consonants) + generator.choice(vowels)

    words = ["".join(syllable() for _ in range(generator.randint(1, 3))) for _ in range(300)]
    weights = [1 / (i + 1) for i in range(300)]
    folder.mkdir()
    for number in range(160):
        lines = [" ".join(generator.choices(words, weights=weights, k=9)).capitalize() for _ in range(12)]
        (folder / f"{number:03d}.txt").write_text("".join(f"{line}.\n" for line in lines))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    write_text(tmp_path / "text")
    shutil.copytree(FIXTURE, tmp_path / "sweep")
    return tmp_path / "sweep"


def test_its_table_is_read(folder):
    runs = read_runs(folder)
    assert runs["loss"].tolist() == [4.218207195501744]


@pytest.mark.slow
def test_it_is_resumed_to_the_loss_of_an_undisturbed_run(folder, capsys):
    begun = json.loads((folder / "code.json").read_text())["torch"]
    if begun.partition("+")[0] != torch.__version__.partition("+")[0]:
        pytest.skip("the snapshot was written by another torch")
    code = parscale.main(
        ["sweep", *ARGUMENTS, *ONE_THREAD, "--corpora", "files:text/*.txt", "--out", str(folder)]
    )
    assert code == 0
    shown = capsys.readouterr()
    assert "version 0.1" in shown.out
    runs = read_runs(folder).set_index("P")["loss"]
    assert runs[2] == 4.218207195501744  # trained once only
    assert runs[1] == pytest.approx(UNDISTURBED, abs=1e-9 if _same_processor() else 0.05)


def _same_processor():
    return torch.backends.cpu.get_cpu_capability() == "AVX512"
