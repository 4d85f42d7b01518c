"""The page as a file: what it refers to, what it shows without JavaScript, what is refused."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling
from analysis import explorer
from analysis.explorer.explored_runs import read_sources
from analysis.explorer.explorer_page import page_text
from analysis.output.html_words import html_words

VENDOR = Path(explorer.__file__).parent / "vendor"


@pytest.fixture(scope="module")
def source(stack_fits):
    return read_sources([stack_fits / "parallel-stack-v2-python.json"])[0]


@pytest.fixture(scope="module")
def text(source):
    evil = replace(source, title="</script><b>x</b>")
    evil.__dict__.update(pool=source.pool, verdict=source.verdict)  # the title changes neither
    return page_text([source, evil], command="<i>", origin="<i>")


@pytest.mark.slow
def test_into_a_folder_the_page_goes_under_its_own_name(tmp_path, stack_fits, monkeypatch):
    monkeypatch.setattr(explorer, "page_text", lambda *_, **__: "a page")
    fits, made = [stack_fits / "parallel-stack-v2-python.json"], tmp_path / "there"
    made.mkdir()
    for out in (made, tmp_path / "new"):
        assert explorer.write(fits, out) == out / "explore.html"
    assert explorer.write(fits, made / "mine.html") == made / "mine.html"


@pytest.mark.slow
def test_the_page_is_small_and_refers_to_nothing_outside(text):
    assert len(text) < 2e6
    library = (VENDOR / "plotly-cartesian.min.js").read_text().replace("</script", "<\\/script")
    assert text.count(library) == 1
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", text.replace(library, ""))
    assert "default-src 'none'" in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert data["sources"][0]["title"] == "Stack-V2 Python"
    assert not re.search(r"@[A-Z]+@", text)


def test_the_library_is_the_one_that_make_fetches(request):
    library = (VENDOR / "plotly-cartesian.min.js").read_bytes()
    recipe = (request.config.rootpath / "Makefile").read_text()
    version = re.search(rb"plotly\.js \(cartesian - minified\) v([\d.]+)", library)[1].decode()
    assert f"plotly.js-cartesian-dist-min@{version}" in recipe
    assert hashlib.sha256(library).hexdigest() in recipe
    assert "MIT" in (VENDOR / "LICENSE").read_text()


@pytest.mark.slow
def test_names_cannot_become_markup(text):
    assert "<b>x" not in text
    assert "<i>" not in text


def test_the_verdict_stands_first_and_without_javascript_there_are_tables(text, source):
    static = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)[1]
    shown = text[: text.index("<noscript>")]
    for one in source.verdict.answers:
        assert one.question in shown
        assert f"{one.answer.capitalize()}:</span>" in shown
    assert static.count("<table") == 2 * 4
    assert "1.1722" in static  # the first run
    assert html_words("P = 1") in static
    assert re.search(r"1.*512.*512.*A100.*80GB", static)
    for said in ("R² without P", "RMSE", "<td>0.9978</td>", "<td>0.9017</td>", "<td>0.0026</td>"):
        assert said in static


def test_what_is_no_fit_is_refused(tmp_path, stack_fits):
    bad = tmp_path / "bad.json"
    for content in ("[1, 2]", "no json", "{}"):
        bad.write_text(content)
        with pytest.raises(ValueError, match=r"bad\.json"):
            explorer.write([bad], tmp_path / "page.html")
    edited = (stack_fits / "parallel-stack-v2-python.json").read_text().replace('"k": 0.39', '"k": 0.49')
    bad.write_text(edited)
    with pytest.raises(ValueError, match=r"bad\.json.*checksum"):
        explorer.write([bad], tmp_path / "page.html")
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        explorer.write([tmp_path / "none.json"], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.slow
def test_kinds_of_runs_fitted_as_one_are_named_on_the_page_and_the_terminal(tmp_path, capsys):
    law = scaling.DenseLaw(E=1.3, A=2e8, alpha=0.2)
    N = np.geomspace(5e8, 4e9, 8)
    one = pd.DataFrame({"N": N, "loss": law.predict(N=N) + 1e-3 * np.cos(np.arange(8))})
    mixed = pd.concat([one.assign(source="web"), one.assign(source="books", loss=one["loss"] + 0.1)])
    scaling.fit("dense", mixed).save(tmp_path / "mixed.json")
    scaling.fit("dense", one).save(tmp_path / "one.json")
    out = tmp_path / "page.html"
    assert parscale.main(["explore", str(tmp_path / "mixed.json"), "--no-open", "--out", str(out)]) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert "source (web, books)" in said
    assert out.read_text().count("source (web, books)") >= 2  # in a table, and for the script
    assert explorer.page_notes(read_sources([tmp_path / "one.json"])) == []
