"""Where results go: a place that cannot be had is named."""

from pathlib import Path

import pytest

from tests.parscale.commands import run

GPU_RUNS = str(Path(__file__).parents[3] / "results/sweeps/gpu")


def test_a_sweep_into_a_file_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    code, _, err = run("sweep", "ci", "--out", str(tmp_path / "file" / "sweep"), capsys=capsys)
    assert code in (1, 2)
    assert err.endswith("choose another --out; what was finished is safe\n")


@pytest.mark.parametrize(
    "words",
    [("fit", GPU_RUNS), ("report", GPU_RUNS), ("figures", GPU_RUNS, "--only", "gains"), ("reproduce",)],
)
def test_an_out_below_a_file_names_the_place(words, tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    code, _, err = run(*words, "--out", str(tmp_path / "file" / "x" / "y.html"), capsys=capsys)
    assert code == 2
    assert str(tmp_path / "file") in err
    assert err.endswith("a part of this path is a file where a folder is wanted; choose another\n")
