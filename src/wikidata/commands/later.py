"""`wikidata later`: in how many seconds a push that ended with exit code 75 may be tried again."""

import math
import time

from wikidata.config import Selection, Settings
from wikidata.errors import Exit
from wikidata.records.not_before import refusal_now

SECONDS = 300
"""If nothing is recorded: another push is at work, or the Hub is down. As often as cron would try."""
LEAST_SECONDS = 5
"""Slurm fails a task that is to start again in the second in which it was terminated."""


def run(settings: Settings, _chosen: Selection) -> Exit:
    """Print it, as a whole number."""
    refusal = refusal_now(settings.manifest_dir)
    print(max(math.ceil(refusal.not_before - time.time()), LEAST_SECONDS) if refusal else SECONDS)
    return Exit.OK
