"""Sums, with and without the work."""

import pytest

from sweeps.corpora.tasks.arithmetic import Arithmetic


@pytest.mark.parametrize(
    ("task", "prompt", "told"),
    [
        (Arithmetic(), "27+85=", "112\n"),
        (Arithmetic(steps=9), "27+85=", "2111:112\n"),
        (Arithmetic(steps=1), "27+85=", "21:112\n"),
        (Arithmetic(mod=97), "27+85=", "15\n"),
        (Arithmetic(mod=97, steps=9), "27+85+60=", "15:75\n"),
        (Arithmetic(mod=97, steps=1), "27+85+60+01+90=", "75:69\n"),
    ],
)
def test_sums_are_worked_out(task, prompt, told):
    assert task.solve(prompt) == told


@pytest.mark.parametrize("wrong", [{"mod": 1}, {"mod": 7, "terms": (1,)}, {"digits": (19,)}])
def test_sums_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="task arithmetic"):
        Arithmetic(**wrong)
