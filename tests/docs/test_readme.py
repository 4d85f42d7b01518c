"""The README's program runs and its commands exist."""

import re
from pathlib import Path

import pandas as pd
import pytest

import parscale
import scaling

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "results/demo"
TEXT = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_program_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert program.count("\n") <= 14
    exec(compile(program, "README.md", "exec"), {})
    assert re.search(r"AdditiveLaw.*AICc", capsys.readouterr().out)


def test_every_command_of_the_readme_parses():
    lines = re.findall(r"^(?:`|)parscale (.+?)(?:`.*|\s{2,}#.*|)$", TEXT, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        parscale.build_parser().parse_args(line.split())


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


def test_every_column_of_the_runs_table_is_explained():
    for column in pd.read_parquet(DEMO / "runs.parquet").columns:
        assert re.search(rf"\b{column}\b", TEXT), column


def test_the_demos_numbers_are_those_of_its_table():
    runs = scaling.read_runs(DEMO)
    for size, rows in runs.groupby("size"):
        losses = " | ".join(f"{loss:.4f}" for loss in rows.sort_values("P").loss)
        assert f"| {rows.N.min():,.0f} | {losses} |" in TEXT, size
    fit = scaling.fit(scaling.ParallelLaw, runs)
    upper = float(fit.intervals().upper["k"])
    assert f"0 to {upper:.4f}" in TEXT
    assert "k" in fit.certificate.at_bound


def test_the_published_intervals_are_what_a_fit_gives():
    runs = scaling.read_runs(ROOT / "results/published/losses.csv")
    for corpus, rows in runs.groupby("corpus"):
        k = scaling.fit(scaling.ParallelLaw, rows).intervals().loc["k"]
        assert f"| {k.lower:.3f} to {k.upper:.3f} |" in TEXT, corpus


def test_the_runs_of_our_own_sweeps_are_counted():
    (said,) = re.findall(r"\((\d+) runs so far\)", TEXT)
    sweeps = ("laptop", "laptop-text", "gpu")
    tables = [pd.read_parquet(ROOT / "results/sweeps" / name / "runs.parquet") for name in sweeps]
    assert int(said) == sum(map(len, tables))
