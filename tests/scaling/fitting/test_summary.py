"""What a fit says of itself: as text, as a table, in LaTeX."""

import re

import scaling
from scaling import ParallelLaw
from tests.scaling.twenty_runs import runs


def test_summary_and_latex(pile_fit):
    found = pile_fit.summary()
    assert list(found.table.columns) == ["estimate", "std_error", "lower", "upper", "fixed"]
    assert found.table["estimate"].to_dict() == dict(pile_fit.params)
    assert repr(found) == repr(pile_fit)
    assert found._repr_html_() == pile_fit._repr_html_()
    assert "converged" in found.verdict
    assert "90% profile" in repr(pile_fit.summary(level=0.9))
    text = pile_fit.to_latex()
    assert text.count(r"\\") == 5
    ends = pile_fit.intervals().loc["alpha"]
    assert rf"$\alpha$ & $0.1963$ & $[{ends.lower:.4f},\ {ends.upper:.4f}]$ \\" in text
    assert r"1.975 \times 10^{8}" in text


def test_summary_says_what_was_fitted() -> None:
    table = runs().assign(status="ok")
    table.loc[3, "status"] = "diverged"
    text = repr(scaling.fit(ParallelLaw, table))
    assert re.search(r"\b19\b.*\b1\b.*\b15\b", text)
    assert re.search(r"R2 .*\(without P 0\.\d+\)", text)  # R2 never alone
    html = scaling.fit(ParallelLaw, table)._repr_html_()
    assert html.count("<tr>") >= 12
    assert "<th>k</th>" in html
