"""`python -m parscale`."""

import sys

from parscale.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
