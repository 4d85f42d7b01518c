"""Every place that prints k, R2, p or a verdict of the same runs prints the same."""

import json
from pathlib import Path

import pytest

import parscale
import scaling
from analysis.explorer import explorer_page, payload
from analysis.output.html_page import Page
from analysis.output.html_words import html_words
from analysis.report import at_a_glance, side_by_side, sweep_figures
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


def unwrapped(text: str) -> str:
    """Text without the spaces and line breaks by which it was wrapped."""
    return "".join(text.split())


@pytest.fixture(scope="module")
def seen() -> results.SweepResults:
    return results.read_sweep(ROOT / SWEEP)


@pytest.mark.slow
def test_titles_of_figures_say_what_python_says(told, seen):
    known = sweep_figures.sweep_figures(seen)
    shown = {"equivalents": told.streams, "pair_k": told.law, "backtest": told.extrapolates}
    for name, answer in shown.items():
        title = known[name]().legends[0].get_title().get_text()
        assert unwrapped(answer.line) in unwrapped(title), name
    head = known["fig2"]().axes[0].texts[0].get_text()
    assert [word in head for word in (f"{told.fit.law.k:.4f}", "rejected")] == [True, told.law.answer == "no"]


@pytest.mark.slow
def test_the_explorer_says_what_python_says(sources, losses):
    for corpus, source in zip(("stack-v2-python", "pile"), sources, strict=True):
        found = scaling.verdict(losses[losses["corpus"] == corpus], "parallel")
        html = explorer_page.verdict_html("s0", source)
        for one in found.answers:
            assert one.text in html.replace("&lt;", "<").replace("&gt;", ">")
        row = payload.law_payload("parallel", source.fits["parallel"], source.axes, False)
        assert row["r2"] == pytest.approx(found.fit.r2, abs=1e-12)
        assert row["withoutP"] == pytest.approx(baseline_r2(found.fit), abs=1e-12)


def test_the_table_of_the_readme_says_what_python_says(losses):
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for corpus, title in {"stack-v2-python": "Stack-V2 Python", "pile": "Pile"}.items():
        fit = scaling.fit("parallel", losses[losses["corpus"] == corpus])
        low, high = fit.intervals().loc["k", ["lower", "upper"]]
        (row,) = (line.split(" | ") for line in lines if line.startswith(f"| {title} |"))
        assert row[2:4] == [f"{fit.law.k:.4f}", f"{low:.3f} to {high:.3f}"]
        assert row[5:7] == [f"{fit.r2:.4f}", f"{baseline_r2(fit):.4f}"]


@pytest.mark.slow
def test_the_page_says_what_python_says(told, seen):
    page = Page("gpu", "x")
    at_a_glance.add_glance(page, seen, {})
    for one in told.answers:
        assert html_words(one.text)[1:] in page.html
    row = side_by_side.constants_table(seen.verdicts).iloc[0]
    assert row["k"].startswith(number_text(told.fit.law.k))
    assert row["R2"] == f"{told.fit.r2:.4f} ({baseline_r2(told.fit):.4f})"


def test_the_write_up_quotes_what_python_says(told):
    quote = (ROOT / "docs/first-experiment.md").read_text(encoding="utf-8")
    assert all(line in quote for line in told.lines)
    k, low, high = (f"{told.parameters[end]['k']:.2f}" for end in ("estimate", "lower", "upper"))
    interval = f"{k} ({low} to {high}"
    assert interval in (ROOT / "README.md").read_text(encoding="utf-8")
