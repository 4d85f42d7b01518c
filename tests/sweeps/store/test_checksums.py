"""Tables and rows with checksums: no flipped bit passes."""

import json

import pandas as pd
import pytest

from sweeps.store import checksums
from sweeps.store.checksums import Damaged
from tests.sweeps.flipped_bits import flips


def test_no_flipped_bit_changes_a_table(tmp_path):
    path = tmp_path / "runs.parquet"
    table = pd.DataFrame({"run_id": ["a", "b", "c"], "N": [1, 2, 3], "loss": [3.0, 2.5, None]})
    checksums.write_parquet(path, table)
    pd.testing.assert_frame_equal(checksums.read_parquet(path), table)
    seal_at = path.read_bytes().index(b"sha256 ")
    for bit in flips(path, 400, last=12):
        if seal_at <= bit // 8 < seal_at + 7:  # no seal, then: the table is what it was
            pd.testing.assert_frame_equal(checksums.read_parquet(path), table)
        else:
            with pytest.raises(Damaged, match=r"runs\.parquet"):
                checksums.read_parquet(path)


def test_no_flipped_bit_changes_a_row(tmp_path):
    path = tmp_path / "r.json"
    row = {"run_id": "r", "loss": 3.25, "status": "ok", "lr": 1e-3, "similarity": float("nan")}
    checksums.write_row(path, row)
    for _ in flips(path, 400, last=1):
        with pytest.raises(Damaged, match=r"r\.json"):
            checksums.read_row(path)
    assert json.dumps(checksums.read_row(path)) == json.dumps(row)
