"""Every place that prints k, R2, p or a verdict of the same runs prints the same."""

import json
from pathlib import Path

import pytest

import parscale
import scaling
from analysis.output.html_page import Page
from analysis.report import at_a_glance, side_by_side
from analysis.sweep import results
from scaling.fitting.summary import baseline_r2, number_text

ROOT = Path(__file__).parents[3]
SWEEP = "results/sweeps/gpu"


@pytest.fixture(scope="module")
def told() -> scaling.Verdict:
    return scaling.verdict(scaling.read_runs(ROOT / SWEEP))


def printed(capsys, *words: str) -> str:
    assert parscale.main(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_the_terminal_says_what_python_says(told, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    said = printed(capsys, "fit", SWEEP)
    constants = [number_text(v) for v in told.parameters.loc["k"]]
    r2 = f"{told.fit.r2:.4f} (without P {baseline_r2(told.fit):.4f})"
    assert all(line in said for line in told.lines)
    assert constants in [line.split()[1:4] for line in said.splitlines()]
    assert r2 in said
    json_said = json.loads(printed(capsys, "fit", SWEEP, "--json"))["all"]["verdict"]
    assert json_said == told.to_dict()
    ranked = json.loads(printed(capsys, "compare", SWEEP, "--laws", "parallel,dense", "--json"))["all"][
        "laws"
    ]
    assert ranked["ParallelLaw"]["r2"] == pytest.approx(told.fit.r2, abs=1e-12)
    assert ranked["DenseLaw"]["r2"] == pytest.approx(baseline_r2(told.fit), abs=1e-6)
    assert ranked["ParallelLaw"]["holdout_bias"] == pytest.approx(told.extrapolates.number, rel=1e-3)


@pytest.mark.slow
def test_the_page_says_what_python_says(told):
    seen = results.read_sweep(ROOT / SWEEP)
    page = Page("gpu", "x")
    at_a_glance.add_glance(page, seen, {})
    for one in told.answers:
        assert one.text[1:] in page.html.replace("&lt;", "<").replace("&gt;", ">")
    row = side_by_side.constants_table(seen.verdicts).iloc[0]
    assert row["k"].startswith(number_text(told.fit.law.k))
    assert row["R2"] == f"{told.fit.r2:.4f} ({baseline_r2(told.fit):.4f})"


def test_the_write_up_quotes_what_python_says(told):
    quote = (ROOT / "docs/first-experiment.md").read_text(encoding="utf-8")
    assert all(line in quote for line in told.lines)
    k, low, high = (f"{told.parameters[end]['k']:.2f}" for end in ("estimate", "lower", "upper"))
    interval = f"{k} ({low} to {high}"
    assert interval in (ROOT / "README.md").read_text(encoding="utf-8")
