"""The fixtures of the packages that the command line drives."""

from tests.analysis.conftest import *  # noqa: F403
from tests.scaling.conftest import *  # noqa: F403
from tests.sweeps.conftest import *  # noqa: F403
