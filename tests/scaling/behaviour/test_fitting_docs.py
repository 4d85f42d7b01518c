"""What docs/fitting.md and docs/coverage.md show runs, and their tables are the measured ones."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from benchmarks.coverage import intervals as coverage

ROOT = Path(__file__).parents[3]
FITTING = (ROOT / "docs/fitting.md").read_text()
OWN_LAW = re.findall(r"```python\n(.*?)```", (ROOT / "docs/guides/own-law.md").read_text(), re.DOTALL)[0]


def test_a_law_of_your_own_is_about_ten_lines_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict = {"__name__": "docs"}
    exec(OWN_LAW.replace("HyperbolicLaw", "LawOfTheDocs"), names)  # the page itself is run elsewhere
    body = OWN_LAW.split("@dataclass")[1].partition("\nruns = ")[0].strip().splitlines()
    assert len([line for line in body if line.strip()]) <= 13
    law = names["LawOfTheDocs"]
    truth = law(1.2, 57.0, 0.26, 0.15, 0.7)
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(4e7, 3e9, 5), [1.0, 2.0, 4.0, 16.0]))
    fit = scaling.fit(law, {"N": N, "P": P, "loss": truth.predict(N=N, P=P)})
    np.testing.assert_allclose(fit.law.vector, truth.vector, rtol=1e-6)


def test_every_status_is_explained() -> None:
    for status in scaling.Status:
        assert f"| {status} |" in FITTING


def test_tables_in_the_docs_are_those_on_disk() -> None:
    assert coverage.markdown(pd.read_csv(coverage.TABLE)) in (ROOT / "docs/coverage.md").read_text()


@pytest.mark.parametrize("page", ["fitting.md", "coverage.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / "docs" / target).exists(), target
