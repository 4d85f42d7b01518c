"""What the page is given and what is refused, without a browser."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling
from analysis import explorer
from analysis.explorer.explored_runs import read_sources
from analysis.explorer.explorer_page import page_text
from analysis.explorer.payload import payload
from analysis.sweep import results
from parscale.cli.publish import explore_command


@pytest.fixture(scope="module")
def stack_fits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    runs = scaling.read_runs("results/published/losses.csv")
    rows = runs[runs.corpus == "stack-v2-python"]
    for name in ("parallel", "additive", "dense"):
        scaling.fit(scaling.by_name(name), rows).save(folder / f"{name}-stack-v2-python.json")
    return folder


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def test_fits_to_the_same_runs_are_one_source(stack_fits):
    order = ["dense", "parallel", "additive"]
    (source,) = read_sources([stack_fits / f"{name}-stack-v2-python.json" for name in order])
    assert list(source.fits) == order
    assert source.title == "Stack-V2 Python"
    assert source.runs["P"].max() == 8  # the baseline's file knows no P: the others' do
    (shown,) = payload([source])["sources"]
    assert shown["start"] == "parallel"
    assert shown["example"] == {"N": 2.8e9, "P": 4}


def test_a_fit_in_doubt_gets_no_interval(tmp_path):
    # Six runs of a tiny grid, trained on the standard library: k ends at zero.
    rows = {
        "N": [12448, 14850, 17220, 46400, 55298, 64132],
        "P": [1, 2, 4, 1, 2, 4],
        "loss": [4.472318, 4.46, 4.457788, 4.255118, 4.23675, 4.232655],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "tiny.csv", index=False)
    (shown,) = payload(read_sources([tmp_path / "tiny.csv"]))["sources"]
    assert shown["laws"]["parallel"]["status"] == "at bound"
    assert shown["laws"]["parallel"]["sensitivities"] is None
    assert not shown["laws"]["parallel"]["sound"]
    assert [shown["laws"]["parallel"][name] for name in ("t", "noise")] == [None, None]


def test_r2_is_told_beside_that_without_p_and_the_error(stack_fits):
    sources = read_sources([stack_fits / f"{name}-stack-v2-python.json" for name in ("parallel", "dense")])
    laws = payload(sources)["sources"][0]["laws"]
    assert laws["parallel"]["withoutP"] == pytest.approx(laws["dense"]["r2"], abs=1e-6)
    assert laws["dense"]["withoutP"] is None
    text = page_text(sources, command="c", origin="o")
    static = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)[1]
    for said in ("R² without P", "RMSE", "<td>0.9978</td>", "<td>0.9017</td>", "<td>0.0026</td>"):
        assert said in static


def test_where_r2_is_no_number_none_is_told(stack_fits, monkeypatch):
    monkeypatch.setattr(scaling.Fit, "r2", float("nan"))
    sources = read_sources([stack_fits / "parallel-stack-v2-python.json"])
    assert payload(sources)["sources"][0]["laws"]["parallel"]["r2"] is None
    assert "<td>none</td>" in page_text(sources, command="c", origin="o")


def test_into_a_folder_the_page_goes_under_its_own_name(tmp_path, stack_fits):
    fits, made = [stack_fits / "parallel-stack-v2-python.json"], tmp_path / "there"
    made.mkdir()
    for out in (made, tmp_path / "new"):
        assert explorer.write(fits, out) == out / "explore.html"
    assert explorer.write(fits, made / "mine.html") == made / "mine.html"


def test_the_page_refers_to_nothing_outside(stack_fits):
    text = page_text(read_sources([stack_fits / "parallel-stack-v2-python.json"]), command="c", origin="o")
    ours = text[: text.index("plotly.js v")] + text[text.rindex("</script>\n<script>") :]
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", ours)
    assert "url(" not in ours
    assert "default-src 'none'" in ours
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert [s["title"] for s in data["sources"]] == ["Stack-V2 Python"]


def test_names_cannot_become_markup(tmp_path):
    runs = pd.read_csv("results/published/losses.csv").query("corpus == 'pile'")
    runs.assign(corpus="</script><b>x</b>").to_csv(tmp_path / "runs.csv")
    text = page_text(read_sources([tmp_path / "runs.csv"]), command="<i>", origin="<i>")
    assert "<b>x" not in text
    assert "<i>" not in text


def test_without_javascript_there_are_tables(stack_fits):
    text = page_text(read_sources([stack_fits / "parallel-stack-v2-python.json"]), command="c", origin="o")
    static = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)[1]
    assert static.count("<table") == 4
    assert "1.1722" in static  # the first run
    assert "same loss at P = 8" in static
    assert "Cost and loss: batch 1, 512 tokens in, 512 out, A100 80GB" in static


def test_what_is_no_fit_is_refused(tmp_path, stack_fits):
    bad = tmp_path / "bad.json"
    for content in ("[1, 2]", "no json", "{}"):
        bad.write_text(content)
        with pytest.raises(ValueError, match=r"bad\.json: not a fit file"):
            explorer.write([bad], tmp_path / "page.html")
    edited = (stack_fits / "parallel-stack-v2-python.json").read_text().replace('"k": 0.39', '"k": 0.49')
    bad.write_text(edited)
    with pytest.raises(ValueError, match="changed since it was written"):
        explorer.write([bad], tmp_path / "page.html")
    with pytest.raises(FileNotFoundError, match=r"none\.json: no such file"):
        explorer.write([tmp_path / "none.json"], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_law_with_another_axis_is_refused(tmp_path):
    runs = {"N": np.geomspace(1e7, 1e9, 9), "D": np.tile([1e9, 3e9, 9e9], 3)}
    law = scaling.ChinchillaLaw(1.7, 410.0, 390.0, 0.33, 0.27)
    scaling.fit(scaling.ChinchillaLaw, runs | {"loss": law.predict(**runs)}).save(tmp_path / "c.json")
    with pytest.raises(ValueError, match="ChinchillaLaw needs N, D; the page explores laws of N and P"):
        read_sources([tmp_path / "c.json"])


@pytest.mark.parametrize(
    ("status", "message"),
    [("diverged", "no finished run"), ("ok", "2 finished runs are too few to fit a law")],
)
def test_a_sweep_without_a_usable_run_is_refused(tmp_path, status, message):
    rows = pd.DataFrame({"N": [1e6, 2e6], "P": [1, 2], "loss": [3.1, 2.9], "status": [status] * 2})
    rows.to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(ValueError, match=message):
        read_sources([tmp_path])


def test_a_sweep_of_one_size_is_shown_without_the_laws_that_ran_off(tmp_path, monkeypatch):
    rows = pd.DataFrame({"N": [51234] * 4, "P": [1, 2, 4, 8], "loss": [5.0012, 4.8846, 4.8079, 4.7495]})
    rows.to_csv(tmp_path / "runs.csv")
    seen = results.read_sweep(tmp_path / "runs.csv")
    law = replace(seen.fits[""]["diversity"].law, A=np.inf)  # where such a fit may end
    fits = seen.fits[""] | {"diversity": replace(seen.fits[""]["diversity"], law=law)}
    monkeypatch.setattr(results, "read_sweep", lambda path, *_: replace(seen, fits={"": fits}))
    (source,) = read_sources([tmp_path / "runs.csv"])
    assert set(fits) - set(source.fits) == {"diversity"}
    assert "not identifiable" in page_text([source], command="c", origin="o")


def test_a_sweep_that_has_only_begun_is_told_from_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"no finished run in it .* see `parscale status"):
        read_sources([tmp_path])


def given(fits, folder, no_open):
    """What the command line gives for one fit file."""
    source = (str(fits / "parallel-stack-v2-python.json"),)
    return explore_command.Options(sources=source, out=str(folder / "p.html"), no_open=no_open)


def test_a_missing_browser_is_told_where_the_file_is(tmp_path, stack_fits, monkeypatch, capsys):
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert explore_command.run(given(stack_fits, tmp_path, no_open=False)) == 0
    said = capsys.readouterr()
    assert "no browser could be opened" in said.out + said.err
    assert (tmp_path / "p.html").stat().st_size > 4e6


def test_no_open_opens_nothing(tmp_path, stack_fits, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda url: pytest.fail("opened a browser"))
    assert explore_command.run(given(stack_fits, tmp_path, no_open=True)) == 0


def test_kinds_of_runs_fitted_as_one_are_named_on_the_page_and_the_terminal(tmp_path, capsys):
    law = scaling.ParallelLaw(E=1.3, A=2e8, alpha=0.2, k=0.3)
    N, P = (a.ravel() for a in np.meshgrid(np.geomspace(5e8, 4e9, 5), [1, 2, 4], indexing="ij"))
    one = pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P) + 1e-3 * np.cos(np.arange(15))})
    mixed = pd.concat([one.assign(source="web"), one.assign(source="books", loss=one["loss"] + 0.1)])
    mixed.to_csv(tmp_path / "runs.csv", index=False)
    out = tmp_path / "page.html"
    assert parscale.main(["explore", str(tmp_path / "runs.csv"), "--no-open", "--out", str(out)]) == 0
    assert "runs: rows of more than one source (web, books)" in capsys.readouterr().out.replace("\n", " ")
    page = out.read_text()
    assert page.count("rows of more than one source (web, books)") >= 2  # in a table, and for the script
    mixed[mixed["source"] == "web"].to_csv(tmp_path / "runs.csv", index=False)
    assert parscale.main(["explore", str(tmp_path / "runs.csv"), "--no-open", "--out", str(out)]) == 0
    assert "more than one source" not in out.read_text() + capsys.readouterr().out
