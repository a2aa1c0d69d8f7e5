#!/usr/bin/env python3
"""Times `make push` and its parts against what a user would run or write instead; see `command.py`."""

import signal
import sys

from scripts.bench.command import main

if __name__ == "__main__":
    # An exit in good order, so that what was made goes away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
