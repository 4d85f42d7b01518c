"""Learning-rate schedules: what they sum to, where they change, and what is refused."""

import numpy as np
import pytest

from scaling.curves.schedule import Schedule

SHAPE = {"steps": 1000, "peak": 0.02, "warmup": 100}


@pytest.mark.parametrize(("shape", "end", "total"), [
    ("constant", 0.02, 1 + 18), ("cosine", 0.002, 1 + 18 * 0.55), ("linear", 0.002, 1 + 18 * 0.55),
    ("wsd", 0.002, 1 + 14 + 4 * 0.55), ("wsd-exponential", 0.002, 1 + 14 + 4 * 0.9 / np.log(10)),
])  # fmt: skip
def test_named_schedules_end_and_sum_as_their_formulas_do(shape, end, total):
    made = Schedule.shaped(shape, **SHAPE)
    assert made.rate(1000) == pytest.approx(end)
    assert made.total(1000) == pytest.approx(total, rel=1e-4)
    assert (made.warm, made.peak, made.end) == (100, 0.02, 1000)
    assert made.segments.change.sum() == pytest.approx(end)  # from 0
    assert made.until(500).total(500) == pytest.approx(made.total(500))


def test_a_table_that_begins_after_its_warmup_rose_from_zero():
    made = Schedule.of([2176, 2304, 24_000], [3e-4] * 3, warmup=2160)
    assert made.total(2176) == pytest.approx(0.324 + 16 * 3e-4)
    assert Schedule.of([100, 200], [3e-4, 3e-4]).total(100) == pytest.approx(0.015)
    assert Schedule.of([10, 20, 30], [1e-4, 2e-4, 2e-4]).warm == 20


def test_a_lone_change_between_flat_parts_is_a_jump_at_the_first_step_with_the_new_rate():
    made = Schedule.of([100, 200, 300, 400, 500], [3e-4, 3e-4, 3e-5, 3e-5, 3e-5])
    assert made.rate([298, 300]) == pytest.approx([3e-4, 3e-5])
    assert made.segments.middle[-1] == pytest.approx(3e-5)


@pytest.mark.parametrize(("steps", "rates", "word"), [
    ([1, 3, 2], [1, 1, 1], "increase"), ([1, 2], [1, -1], "negative"), ([1, 2], [0, 0], "all 0"), ([1, 2], [1], "one"),
])  # fmt: skip
def test_no_schedule_is_refused(steps, rates, word):
    with pytest.raises(ValueError, match=word):
        Schedule.of(steps, rates)


@pytest.mark.parametrize("wrong", [{"steps": 50}, {"peak": 0.0}, {"final": 2.0}, {"cycles": 3.0}])
def test_wrong_numbers_of_a_named_schedule_are_refused(wrong):
    with pytest.raises(ValueError, match="decay_share"):
        Schedule.shaped("wsd", **SHAPE | wrong)
