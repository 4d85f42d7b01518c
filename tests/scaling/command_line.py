"""What the command line gives a command, without the command line."""

from argparse import Namespace
from pathlib import Path

LOSSES = str(Path(__file__).parents[2] / "results" / "published" / "losses.csv")


def given(**more: object) -> Namespace:
    """What the command line leaves unless told."""
    plain = {"runs": LOSSES, "objective": "huber", "delta": 1e-3, "level": 0.95, "json": False}
    plain |= {"law": "parallel", "holdout": "N", "along": "N", "target": "k", "count": 5}
    unset = [
        "columns",
        "where",
        "by",
        "out",
        "laws",
        "N",
        "P",
        "D",
        "candidates",
        "sizes",
        "streams",
        "tokens",
        "budget",
        "fit",
    ]
    return Namespace(**(dict.fromkeys(unset) | plain | more))
