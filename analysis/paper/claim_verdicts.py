"""What the claims audit says of one claim, and the rule by which it does.

Each value found under the claim's own conditions is rounded to the digits the claim prints: all agree,
`holds`; some do, `holds under conditions`; none does, `does not follow`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HOLDS, PARTLY = "holds", "holds under conditions"
FALSE, UNKNOWN = "does not follow", "cannot be checked"


@dataclass(frozen=True)
class Claim:
    """One row of the audit."""

    claim: str
    claimed: str
    found: str
    method: str
    verdict: str
    note: str = ""


def verdict(claimed: float, found: Sequence[float], digits: int) -> str:
    """By how many of the values found round to the claimed one at the digits it prints."""
    agree = [round(value, digits) == round(claimed, digits) for value in found]
    return HOLDS if all(agree) else PARTLY if any(agree) else FALSE


def together(verdicts: Sequence[str]) -> str:
    """One verdict for a claim of several numbers."""
    return HOLDS if set(verdicts) == {HOLDS} else FALSE if set(verdicts) == {FALSE} else PARTLY
