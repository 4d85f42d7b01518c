"""What figures read of a sweep in addition to its runs."""

import pandas as pd
import pytest

from analysis.sweep import sweep_folder
from sweeps.store.checksums import write_parquet

RUNS = pd.DataFrame({"run_id": ["a", "b"], "N": 1e6, "P": [1, 2], "loss": [2.5, 2.4], "corpus": "code"})


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (sweep_folder.STREAMS, lambda path: sweep_folder.read_measured(path, RUNS, sweep_folder.STREAMS)),
        (sweep_folder.CONTEXT, lambda path: sweep_folder.read_measured(path, RUNS, sweep_folder.CONTEXT)),
        ("curves.parquet", lambda path: sweep_folder.read_curves(path, RUNS)),
    ],
)
def test_a_damaged_table_is_drawn_by_no_figure(name, read, tmp_path):
    path = tmp_path / name
    write_parquet(path, pd.DataFrame({"run_id": ["a", "b"], "step": 1, "loss": [2.5, 2.4]}))
    assert list(read(tmp_path)["run_id"]) == ["a", "b"]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=f"{name} .*checksum"):
        read(tmp_path)


def test_each_point_has_its_run_and_what_goes_on_replaces_what_was_gathered(tmp_path):
    write_parquet(tmp_path / "curves.parquet", points(["b", "b", "gone"], [1, 2, 1], 3.0))
    (tmp_path / "curves").mkdir()
    write_parquet(tmp_path / "curves" / "a.parquet", points(["a", "b"], [1, 2], 2.0))
    curves = sweep_folder.read_curves(tmp_path, RUNS.assign(corpus=["code", "text"]))
    found = curves[["run_id", "step", "loss", "P", "corpus", "begin"]].astype({"corpus": str, "run_id": str})
    assert found.to_numpy().tolist() == [
        ["b", 1, 3.0, 2, "text", 0.0],
        ["a", 1, 2.0, 1, "code", 0.0],
        ["b", 2, 2.0, 2, "text", 0.0],
    ]
    assert isinstance(curves["run_id"].dtype, pd.CategoricalDtype)
    curves.loc[0, "step"] = 7  # joined columns are the reader's own


def points(run_ids, steps, loss):
    return pd.DataFrame({"run_id": run_ids, "step": steps, "loss": loss})


def test_a_run_without_a_curve_leaves_the_others_theirs(tmp_path):
    write_parquet(tmp_path / "curves.parquet", points(["b", "b"], [1, 2], 3.0))
    curves = sweep_folder.read_curves(tmp_path, RUNS)
    assert curves["run_id"].tolist() == ["b", "b"]
    assert curves["P"].tolist() == [2, 2]


def test_planned_runs_without_a_row_are_named_sizes_as_numbers(tmp_path):
    (tmp_path / "configs").mkdir()
    for name, width, P in (("a", 64, 1), ("c", 128, 8), ("d", 64, 4), ("e", 64, 2)):
        text = f'{{"size": "{width}x8", "seed": 1, "model": {{"P": {P}}}}}' if name != "e" else "{}"
        (tmp_path / "configs" / f"{name}.json").write_text(text)
    found = sweep_folder.runs_to_come(tmp_path, RUNS)
    assert found == ("e", "64x8 at P = 4, seed 1", "128x8 at P = 8, seed 1")
