"""Small matrices get one thread of the linear algebra, and the caller gets the others back."""

import scipy.linalg
import scipy.optimize
from threadpoolctl import ThreadpoolController

import scaling
from scaling.optimise.blas_threads import one_thread


def threads() -> set[int]:
    return {one["num_threads"] for one in ThreadpoolController().select(user_api="blas").info()}


def test_within_it_there_is_one_thread_and_after_it_as_many_as_before():
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        with one_thread():
            assert threads() == {1}
        assert threads() == {2}


def test_the_second_algorithm_has_one_thread(monkeypatch, pile):
    seen = []
    original = scipy.optimize.minimize

    def minimize(*args, **kwargs):
        seen.append(threads())
        return original(*args, **kwargs)

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        scaling.fit("parallel", pile, "lad")
    assert seen
    assert all(one == {1} for one in seen)
