"""Tables that hold no runs yet: why, what is in them, and the call that names the columns."""

import re
import shlex

import numpy as np
import pandas as pd

import parscale
from scaling.selection.unread_table import unread


def told(frame, tmp_path, name="t.csv"):
    frame.to_csv(tmp_path / name, index=False)
    return unread(tmp_path / name, "why")


def test_columns_that_may_be_meant_are_named(tmp_path):
    frame = pd.DataFrame(
        {
            "non_embedding_param_size": [1e8, 2e8, 4e8],
            "tokens_per_epoch": [1e9, 1e9, 1e9],
            "tokens, all": [1e9, 2e9, 4e9],
            "c4_bpb": [1.2, 1.1, 1.0],
            "loss_name": ["a", "b", "c"],
        }
    )
    found = told(frame, tmp_path)
    assert found.table["may_be"].to_dict() == {
        "non_embedding_param_size": "N",
        "tokens_per_epoch": "",
        "tokens, all": "D",
        "c4_bpb": "loss",
        "loss_name": "",
    }
    last = shlex.split(found.command)[-1]
    assert last == 'N=non_embedding_param_size,D="tokens, all",loss=c4_bpb'


def test_the_command_that_names_columns_runs(tmp_path, capsys):
    N = np.geomspace(1e8, 1e9, 6)
    frame = pd.DataFrame({"the param size": N, "eval_nll_mean": 2 + 30 / N**0.2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    path = str(tmp_path / "t.csv")
    assert parscale.main(["inspect", path]) == 0
    words = capsys.readouterr().out.splitlines()[-1].partition("next")[2]
    assert parscale.main(shlex.split(words)[1:]) == 0
    assert re.search(r"dense .*\b6\b", capsys.readouterr().out)


def test_a_wide_table_is_told_to_be_one(tmp_path):
    found = told(
        pd.DataFrame({"size": ["a"], "200": [1.0], "400": [2.0], "1.6k": [3.0], "1e6": [4]}), tmp_path
    )
    assert "pandas.melt" in found.verdict
    assert found.command == ""


def test_what_is_no_table_is_left_to_its_own_error(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\x00\x01")
    assert unread(tmp_path / "t.csv", "why") is None


def test_text_fits_and_values_are_plain(tmp_path):
    found = told(pd.DataFrame({"a column of a long name": [f"{'word ' * 9}{i}" for i in range(9)]}), tmp_path)
    lines = [line for line in found.text(80).splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80
    assert found.to_dict()["columns"][0]["may_be"] == ""
    assert "why" in found._repr_html_()
