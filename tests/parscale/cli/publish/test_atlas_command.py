"""`parscale atlas`: the table is printed, the files are named."""

import pytest

from analysis.atlas import write
from analysis.atlas.entries import ENTRIES
from tests.parscale.commands import run


@pytest.mark.slow
def test_the_table_is_printed_and_the_files_are_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(write, "ENTRIES", ENTRIES[-1:])
    monkeypatch.setattr(write, "all_exponents", list)
    monkeypatch.setattr(write, "judged_curves", list)
    code, out, _ = run("atlas", "--out", str(tmp_path / "here"), capsys=capsys)
    assert code == 0
    assert ENTRIES[-1].name in out
    assert str(tmp_path / "here" / "atlas.html") in out
    assert (tmp_path / "here" / "atlas.csv").is_file()
