"""What figures read beside the runs of a sweep, as a sweep has written it."""

import pandas as pd
import pytest

from analysis import folder
from sweeps.sealed import write_parquet

RUNS = pd.DataFrame({"run_id": ["a", "b"], "N": 1e6, "P": [1, 2], "loss": [2.5, 2.4], "corpus": "code"})


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (folder.STREAMS, lambda path: folder.read_beside(path, RUNS, folder.STREAMS)),
        (folder.CONTEXT, lambda path: folder.read_beside(path, RUNS, folder.CONTEXT)),
        ("curves.parquet", lambda path: folder.read_curves(path, RUNS)),
    ],
)
def test_a_damaged_table_is_drawn_by_no_figure(name, read, tmp_path):
    path = tmp_path / name
    write_parquet(path, pd.DataFrame({"run_id": ["a", "b"], "step": 1, "loss": [2.5, 2.4]}))
    assert list(read(tmp_path)["run_id"]) == ["a", "b"]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=f"{name} is damaged: it fails its checksum"):
        read(tmp_path)
