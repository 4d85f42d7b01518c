"""The plan that `parscale sweep --dry-run` prints: every column whole at any width."""

import pytest

import parscale
from sweeps.grids.grids import find


@pytest.mark.parametrize("room", [None, 60, 80, 120])
def test_the_plan_holds_every_number_at_any_width(room, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("scaling.terminal_text.width", lambda: room)
    call = (
        "sweep",
        "paper",
        "--dry-run",
        "--streams",
        "8",
        "--corpora",
        "pile",
        "--out",
        str(tmp_path / "x"),
    )
    assert parscale.main([*call]) == 0
    out = capsys.readouterr().out
    table, _ = out.split("state: weights")
    assert room is None or max(map(len, table.splitlines())) <= room
    words = table.split()
    for run in find("paper")():
        if run.model.P == 8 and run.corpus == "pile":
            assert {f"{run.model.N:,}", f"{run.D:,}", f"{run.lr:.3g}", f"{run.C:.2e}"} <= set(words)
    assert words.count("4.4B") == table.count("corpus")  # each part names the run
