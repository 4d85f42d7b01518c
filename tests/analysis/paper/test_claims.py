"""The paper's claims, recomputed: each has the verdict of its numbers."""

import pytest

import scaling
from analysis.paper import claims


@pytest.fixture(scope="module")
def laws(published):
    return {c: scaling.fit(scaling.ParallelLaw, published.corpus(c)).law for c in ("stack-v2-python", "pile")}


def test_every_claim_has_the_verdict_of_its_numbers(published, laws):
    table = claims.audit(published, laws)
    assert len(table) >= len(published.claims)
    given = dict(zip(table["claim"], table["verdict"], strict=True))
    expected = {
        "memory increase against parameter scaling, 1.6B, P = 8, batch 1": claims.PARTLY,
        "latency increase against parameter scaling, 1.6B, P = 8, batch 1": claims.HOLDS,
        "memory increase against parameter scaling, 1.6B, P = 8, batch 1, 2, 4, 8": claims.HOLDS,
        "latency increase against parameter scaling, 1.6B, P = 8, batch 1, 2, 4, 8": claims.PARTLY,
        "parameters saved at equal loss, 4.4B at P = 1 against P = 8, Stack": claims.PARTLY,
        "30B at P = 8 is worth 42.5B (in no copy of the paper)": claims.FALSE,
        "8 streams are worth 3 times the parameters (not in the paper)": claims.FALSE,
        "tokens after which the second stage passes P = 1": claims.UNKNOWN,
        "released checkpoints": claims.HOLDS,
    }
    assert {claim: given[claim] for claim in expected} == expected
    found = dict(zip(table["claim"], table["found"], strict=True))
    assert (
        found["parameters saved at equal loss, 4.4B at P = 1 against P = 8, Stack"]
        == "-45.0% (law), -52.3% (points)"
    )
    assert (
        found["30B at P = 8 is worth 42.5B (in no copy of the paper)"]
        == "54.5B (stack-v2-python), 50.9B (pile)"
    )
    assert "3.16B (points)" in found["1.6B at P = 8 is worth 4.4B on code tasks"]


def test_another_law_changes_the_verdict(published, laws):
    law = scaling.ParallelLaw(E=0.7, A=1.1e7, alpha=0.19, k=0.2)
    table = claims.audit(published, {**laws, "stack-v2-python": law}).set_index("claim")
    saved = table.loc["parameters saved at equal loss, 4.4B at P = 1 against P = 8, Stack"]
    assert saved["verdict"] == claims.FALSE
    assert saved["found"].startswith("-29.4% (law)")


@pytest.mark.parametrize(
    ("claimed", "found", "digits", "expected"),
    [
        (22, [22.4, 21.6], 0, claims.HOLDS),
        (22, [22.6, 21.6], 0, claims.PARTLY),
        (1.7, [1.64, 1.76], 1, claims.FALSE),
    ],
)
def test_verdict_rounds_to_the_printed_digits(claimed, found, digits, expected):
    assert claims.claim_verdict(claimed, found, digits) == expected
