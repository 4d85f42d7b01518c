"""The page of one fit: what it says of a law over its own axes and of one with categories."""

import matplotlib as mpl
import pytest

import scaling
from analysis.output.html_words import html_words
from analysis.report.fit_report import runs_of_fit
from analysis.report.sweep_report import write_report
from parscale.cli.publish import report_command
from tests.scaling.own_shapes import written


@pytest.mark.slow
def test_the_page_of_an_own_law_and_the_command_that_writes_it(tmp_path, capsys):
    spec, table = written(tmp_path)
    fit = scaling.fit(spec, scaling.read_runs(table, law=spec))
    fit.save(tmp_path / "fit.json")
    given = report_command.Options(
        sources=(str(tmp_path / "fit.json"),), law=spec, out=str(tmp_path / "page.html")
    )
    assert report_command.run(given) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    for words in ("DepthLaw", "depth 4 to 32", "Backtest", html_words(fit.verdict().answers[0].text)):
        assert words.lower() in text.lower()


def test_categories_are_named_and_a_doubtful_fit_says_so(tmp_path, caplog):
    runs = {"N": [1e7, 1e8, 1e9, 1e10] * 2, "recipe": ["a"] * 4 + ["b"] * 4}
    runs["loss"] = [3.0, 2.5, 2.25, 2.1, 3.2, 2.7, 2.45, 2.3]
    fit = scaling.fit(scaling.Arms("dense", "recipe", own=("E",)), runs)
    assert runs_of_fit(fit)["recipe"] == runs["recipe"]
    few = scaling.fit("dense", {name: column[:3] for name, column in runs.items()})
    with mpl.rc_context({"font.family": ["No Such Font"]}):
        page = write_report(few, tmp_path)
    assert not [record for record in caplog.records if "font" in record.name]
    assert page.name == "report.html"
    assert str(few.status) in page.read_text()
