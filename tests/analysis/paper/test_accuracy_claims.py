"""Accuracy and losses: which of the paper's statements follow, checked to the digit."""

import pytest

from analysis.paper import accuracy_claims, claims


@pytest.fixture(scope="module")
def by_run(published):
    return accuracy_claims.accuracy_by_run(published)


def test_what_losses_of_code_and_general_models_say(by_run):
    excess = accuracy_claims.excess_by_streams(by_run).set_index(["tasks", "P"])
    assert excess["excess"].round(2).to_dict() == {
        ("code", 2): 1.48, ("code", 4): 0.68, ("code", 8): 1.77,
        ("general", 2): 0.11, ("general", 4): 0.19, ("general", 8): 0.06,
    }  # fmt: skip
    assert excess.loc[("code", 8), "lower"] > 0.5
    assert (excess.loc["general", "inside"] == 6).all()
    one = by_run[by_run["P"] == 1]
    assert one["excess"].abs().max() < 0.4


def test_verdicts_follow_from_the_numbers(published):
    rows = accuracy_claims.accuracy_claims(published)
    verdicts = {row.claim: row.verdict for row in rows}
    assert {v for c, v in verdicts.items() if "code tasks" in c} == {claims.FALSE}
    assert {v for c, v in verdicts.items() if "general tasks" in c} == {claims.HOLDS}
    assert [row.verdict for row in rows if "follow from the loss" in row.claim and not row.found] == [
        claims.UNKNOWN
    ] * 2
    gain = next(row for row in rows if row.claim.startswith("gain on code"))
    assert gain.claimed == "33.9 to 39.1: +5.2 points"
    assert gain.found == "to 37.6 (37.1 to 38.2): +3.7 points"
