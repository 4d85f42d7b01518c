"""A law written out for a panel."""

import numpy as np

from analysis.figures.panel_parts import law_text
from scaling.laws import AdditiveLaw, ParallelLaw


def test_a_law_of_any_form_is_written_out():
    assert "AdditiveLaw" in law_text(AdditiveLaw(E=0.7, A=30.0, alpha=0.21, C=0.12, beta=0.45))
    assert r"\infty" in law_text(ParallelLaw(E=0.7, A=np.inf, alpha=0.2, k=0.3))
