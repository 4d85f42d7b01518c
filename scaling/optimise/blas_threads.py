"""One thread for algebra on matrices that are too small to share out.

OpenBLAS gives some of them to several threads all the same. Where other processes use the cores, the threads wait
for each other: L-BFGS-B on four parameters then takes up to a hundred times as long.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """Within it linear algebra has one thread, after it as many as before. Import what brings the libraries first."""
    found: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return found


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that are loaded, looked up once: some milliseconds."""
    return ThreadpoolController()
