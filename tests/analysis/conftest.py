"""The published runs, the laws printed for them, and the explore page in a browser."""

from pathlib import Path

import pandas as pd
import pytest

import scaling
from analysis.paper.published_numbers import read_published
from scaling.laws import ParallelLaw
from tests.analysis.browser import browser, load, until

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


@pytest.fixture(scope="session")
def losses():
    return pd.read_csv(PUBLISHED / "losses.csv")


@pytest.fixture(scope="session")
def stack(losses):
    return losses[losses["corpus"] == "stack-v2-python"]


@pytest.fixture(scope="session")
def architectures():
    return pd.read_csv(PUBLISHED / "architectures.csv")


@pytest.fixture(scope="session")
def printed_laws():
    table = pd.read_csv(PUBLISHED / "fit_constants.csv").set_index("dataset")
    names = {"stack-v2-python": "Stack-V2-Python", "pile": "Pile"}
    return {
        corpus: ParallelLaw(**{c: float(table.loc[row, c]) for c in ("E", "A", "alpha", "k")})
        for corpus, row in names.items()
    }


@pytest.fixture(scope="session")
def sources(request):
    from analysis.explorer.explored_runs import read_sources

    return read_sources([request.config.rootpath / "results/published/losses.csv"])


@pytest.fixture(scope="session")
def page_file(tmp_path_factory, sources):
    from analysis import explorer

    out = tmp_path_factory.mktemp("page") / "explore.html"
    return explorer.write_explored(sources, ["results/published/losses.csv"], out)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture(scope="module")
def tab(chromium, page_file):
    """One tab for all tests, with its console errors and requests. Loading takes seconds."""
    tab = chromium.new_page()
    wrong, asked = [], []
    tab.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("pageerror", lambda e: wrong.append(str(e)))
    tab.on("request", lambda r: asked.append(r.url))
    load(tab, page_file)
    return tab, wrong, asked


@pytest.fixture
def page(tab, page_file):
    """The tab at the first point. At the end it must have no console error and no request."""
    tab, wrong, asked = tab
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(media="screen", color_scheme="light")
    tab.evaluate("location.hash = ''")
    until(
        tab,
        "location.hash === '' && App.state.at.N === 2.8e9 && App.state.at.P === 4 && App.state.source === 's0'",
    )
    yield tab
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file://", "data:", "blob:"))] == []
    assert {url.split("#")[0] for url in asked if url.startswith("file://")} == {page_file.as_uri()}


@pytest.fixture(scope="session")
def published():
    return read_published(PUBLISHED)


@pytest.fixture(scope="session")
def stack_fits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    runs = scaling.read_runs("results/published/losses.csv")
    rows = runs[runs.corpus == "stack-v2-python"]
    for name in ("parallel", "additive", "dense"):
        scaling.fit(scaling.by_name(name), rows).save(folder / f"{name}-stack-v2-python.json")
    return folder
