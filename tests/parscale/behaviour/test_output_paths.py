"""Where results go: a place that cannot be written is named."""

from pathlib import Path

import pytest

from tests.parscale.commands import run

GPU_RUNS = str(Path(__file__).parents[3] / "results/sweeps/gpu")


@pytest.mark.parametrize(
    "words",
    [("fit", GPU_RUNS), ("report", GPU_RUNS), ("figures", GPU_RUNS), ("reproduce",), ("sweep", "ci")],
)
def test_an_out_below_a_file_names_the_place_before_any_work(words, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr("parscale.cli.options.read_options", None)  # nothing of the command is run
    code, _, err = run(*words, "--out", str(tmp_path / "file" / "x" / "y.html"), capsys=capsys)
    assert code == 2
    assert str(tmp_path / "file") in err
