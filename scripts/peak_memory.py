"""The most memory that a process has held so far."""

import re
import resource
from pathlib import Path


def peak_bytes(process: int | str = "self") -> int:
    """That of a process by its id; 0 if it has ended."""
    if not Path("/proc").exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS tells this in bytes, and only this
    # Not ru_maxrss: on Linux a process starts with that of the one that started it.
    status = Path(f"/proc/{process}/status")
    peak = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(peak[1]) * 1024 if peak else 0
