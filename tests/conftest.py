"""What every test relies on."""

import os
import signal
import sys
from pathlib import Path

sys.path.append(
    str(Path(__file__).parents[1])
)  # benchmarks/ is not installed, and tests run what it compares

# Tests run side by side share the cores out, as do the commands they start: two threads that spin for one
# core each wait ten times as long as they work. Read when torch and numpy are first loaded.
workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

# What Python compiles is kept, even where the surroundings ask otherwise (as the Makefile does): every worker
# and every process that a test starts would compile the tests and the packages again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A runner started in the background ignores Ctrl-C, and every process it starts inherits that: the tests
# that interrupt a command need it heard.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Sweeps first: one of their tests takes up to two minutes, and must not be the last that a worker begins."""
    items.sort(key=lambda item: "sweeps" not in item.path.parts)
