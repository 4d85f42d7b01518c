"""The paper's printed constants next to a fit of the same points, and to no other."""

import numpy as np
import pytest

import scaling
from scaling.fitting.printed_constants import PRINTED, corpus_of, note


def test_each_corpus_is_known_by_its_losses(pile_fit, stack):
    assert corpus_of(pile_fit) == "pile"
    assert corpus_of(scaling.fit("parallel", stack)) == "stack-v2-python"
    assert corpus_of(scaling.fit("parallel", stack.iloc[:-1])) is None
    assert corpus_of(scaling.fit("parallel", stack.assign(loss=stack["loss"] + 0.01))) is None


def test_the_note_says_how_far_the_printed_constants_are_from_the_optimum(pile_fit):
    told = note(pile_fit)
    law, r2 = PRINTED["pile"]
    for number in (law.E, law.k, law.alpha, r2):
        assert str(number) in told
    at_printed = pile_fit.problem.value(pile_fit.problem.internal(law)[None])[0]
    assert f"{at_printed / pile_fit.objective_value - 1:.1e} above" in told


def test_other_laws_and_objectives_have_no_printed_constants(pile):
    assert note(scaling.fit("dense", pile)) is None
    assert note(scaling.fit("parallel", pile, "least-squares")) is None
    assert note(scaling.fit("parallel", pile, scaling.LogHuber(1e-2))) is None


@pytest.mark.parametrize("corpus", list(PRINTED))
def test_printed_constants_have_the_printed_r2(losses, corpus):
    law, r2 = PRINTED[corpus]
    runs = losses[losses["corpus"] == corpus]
    miss = runs["loss"] - law.predict(N=runs["N"], P=runs["P"])
    found = 1 - float((miss**2).sum() / np.square(runs["loss"] - runs["loss"].mean()).sum())
    assert found == pytest.approx(r2, abs=5e-5)
