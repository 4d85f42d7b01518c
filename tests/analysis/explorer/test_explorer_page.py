"""The page as a file: what it refers to, what it shows without JavaScript, what is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling
from analysis import explorer
from analysis.explorer.explored_runs import read_sources
from analysis.explorer.explorer_page import page_text


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


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
