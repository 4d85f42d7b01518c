"""`parscale reproduce`: where it writes, and what it prints of what was made."""

from pathlib import Path

import pandas as pd
import pytest

import parscale
from analysis.paper import reproduce


@pytest.mark.parametrize(("words", "out"), [([], "results"), (["--out", "there"], "there")])
def test_constants_claims_and_the_number_of_files_are_printed(monkeypatch, capsys, words, out):
    asked = []

    def run(folder, *, progress):
        asked.append(folder)
        progress("fits")
        constants = pd.DataFrame(
            {"corpus": ["pile"], "constant": ["k"], "printed": [0.3345], "ours": [0.33444]}
        )
        claims = pd.DataFrame({"claim": ["released checkpoints"], "verdict": ["holds"]})
        return reproduce.Reproduction(folder, constants, claims, [Path("a"), Path("b")], 1.6)

    monkeypatch.setattr(reproduce, "run", run)
    assert parscale.main(["reproduce", *words]) == 0
    assert asked == [Path(out)]
    said = capsys.readouterr().out
    for part in ("0.3344", "released checkpoints", f"2 files in {out}, 2 s"):
        assert part in said


def test_without_the_papers_tables_it_ends_with_2(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert parscale.main(["reproduce", "--out", "there"]) == 2
    assert "losses.csv" in capsys.readouterr().err
    assert not (tmp_path / "there").exists()
