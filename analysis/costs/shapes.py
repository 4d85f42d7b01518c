"""From a size to a transformer's shape: the published six, and the same family at any other N."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scaling.accounting import Shape
from scaling.data.units import parse_size

LAYERS, HEADS, KV_HEADS, VOCAB = 36, 16, 2, 151936
# ffn / width of the six published shapes lies in 5.375 .. 5.43.
FFN_PER_WIDTH = 5.4


@dataclass(frozen=True)
class FamilyShape:
    """Width and ffn, fractions allowed, of a 36-layer member of the paper's family, and the N asked for."""

    width: float
    ffn: float
    N: float

    def accounting(self, P: int = 1) -> Shape:
        """The nearest whole shape (width a multiple of 16 heads), for counting parameters and FLOPs."""
        width = max(HEADS, HEADS * round(self.width / HEADS))
        shape = Shape(width, max(1, round(self.ffn)), LAYERS, HEADS, KV_HEADS, VOCAB)
        return replace(shape, P=P)


def shape_of(N: str | float, architectures: pd.DataFrame | None = None, *, P: float = 1) -> FamilyShape:
    """The shape that has N non-embedding parameters at P streams, ParScale's own included.

    `architectures` (results/published/architectures.csv) gives the published shape where N is one
    of its labels ("1.6B") or exact counts. Elsewhere the family is continued at ffn = 5.4 width:
    N = 36 (2.25 + 16.2) h^2 + (36 * 3.25 + 1) h, and for P > 1 + P h^2 + (1 + P + 432 P) h + P,
    solved for h.
    """
    count = parse_size(N)
    if not (np.isfinite(count) and count > 0):
        raise ValueError(f"N is {N!r}. Give a positive number of parameters, e.g. 1.6B")
    if architectures is not None and P == 1:
        labels = architectures["paper_size_label"].map(parse_size)
        hit = architectures[np.isclose(labels, count) | (architectures["nonembedding_params_P1"] == count)]
        if len(hit):
            row = hit.iloc[0]
            return FamilyShape(
                float(row["hidden"]), float(row["intermediate"]), float(row["nonembedding_params_P1"])
            )
    kv = KV_HEADS / HEADS
    square = LAYERS * (2 * (1 + kv) + 3 * FFN_PER_WIDTH)
    linear = LAYERS * (1 + 2 * kv + 2) + 1
    constant = -count
    if P > 1:  # aggregation P h^2 + h + h P + P, and prefixes P * 2 * 48 * kv * h * layers
        square, linear = square + P, linear + 1 + P + 2 * 48 * kv * LAYERS * P
        constant += P
    width = (-linear + np.sqrt(linear**2 - 4 * square * constant)) / (2 * square)
    return FamilyShape(float(width), float(FFN_PER_WIDTH * width), count)
