"""Tables written as CSV, Markdown and LaTeX."""

import re

import numpy as np
import pandas as pd

from analysis.output import formatted_tables


def test_printed_tables_leave_the_unknown_blank(published):
    made = formatted_tables.paper_tables(published)
    assert list(made) == [f"table{i}" for i in range(1, 6)]
    _, instruct = made["table5"]
    assert instruct["P"].tolist() == [1, 2, 4, 8]
    lines = formatted_tables.markdown(instruct).splitlines()
    assert lines[0] == "| P | IFEval (0-shot) | MMLU (5-shot) | GSM8K (4-shot) |"
    assert lines[3] == "| 2 |  |  |  |"
    assert "HumanEval+ pass@10" in made["table4"][1]
    assert "HumanEval pass@1" in made["table4"][1]


def test_a_written_table_names_its_origin_and_reads_back(tmp_path):
    table = pd.DataFrame({"a_b": [1.23456789, -np.inf], "law": ["x & y", "50%|"], "ok": [True, False]})
    files = formatted_tables.write_tables(
        table, tmp_path / "t", caption="A 5% case", command="parscale x", data="y.csv"
    )
    assert [f.suffix for f in files] == [".csv", ".md", ".tex"]
    assert all(re.search("parscale x.*y.csv", f.read_text()) for f in files)
    pd.testing.assert_frame_equal(pd.read_csv(files[0], comment="#"), table)
    assert r"x \& y" in files[2].read_text()
    assert r"a\_b" in files[2].read_text()
    assert r"A 5\% case" in files[2].read_text()
    assert "| 1.235 | x & y | yes |" in files[1].read_text()
    assert not list(tmp_path.glob(".*.tmp"))
