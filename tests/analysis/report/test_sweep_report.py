"""The report of a table of runs."""

import numpy as np
import pandas as pd

import scaling
from analysis import report


def test_a_report_says_that_laws_of_N_and_P_mix_budgets_and_ranks_those_of_D(tmp_path):
    law = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.3)
    sizes = enumerate(np.geomspace(1e6, 3e7, 5))
    rows = [(f"s{i}", N, P, D) for i, N in sizes for D in (1e8, 1e9) for P in (1, 2, 4)]
    table = pd.DataFrame(rows, columns=["size", "N", "P", "D"])
    loss = law.predict(N=table["N"], P=table["P"]) - np.where(table["D"] > 1e8, 0.2, 0.0)
    table.assign(loss=loss).to_csv(tmp_path / "runs.csv", index=False)
    text = report.write_report(tmp_path / "runs.csv", tmp_path / "report.html").read_text()
    assert "laws of N and P fit runs of more than one D as if they were one budget" in text
    assert "ParallelDataLaw" in text
    assert report.write is report.write_report  # its name in version 0.1


def test_a_report_names_kinds_of_runs_that_are_fitted_as_one(tmp_path):
    law = scaling.ParallelLaw(E=1.3, A=2e8, alpha=0.2, k=0.3)
    N, P = (a.ravel() for a in np.meshgrid(np.geomspace(5e8, 4e9, 5), [1, 2, 4], indexing="ij"))
    one = pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P) + 1e-3 * np.cos(np.arange(15))})
    mixed = pd.concat([one.assign(lab="a"), one.assign(lab="b", loss=one["loss"] + 0.1)])
    mixed.to_csv(tmp_path / "runs.csv", index=False)
    text = report.write_report(tmp_path / "runs.csv", tmp_path / "report.html").read_text()
    assert "Rows of more than one lab (a, b) are fitted as one" in text
