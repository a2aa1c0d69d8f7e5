"""One push at a time, and a dead one holds nobody up."""

import subprocess
import sys
from pathlib import Path

import pytest

from wikidata.errors import LockedError
from wikidata.records.lock import hold

HOLD = "import sys; from pathlib import Path; from wikidata.records.lock import hold\n"
HOLD += "with hold(Path(sys.argv[1]), 'chunk 3'): print('held', flush=True); sys.stdin.read()"


def test_a_second_push_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    who = rf"process {holder.pid} on .* \(chunk 3\) holds the lock since 20"
    with pytest.raises(LockedError, match=who), hold(tmp_path, "chunk 4"):
        pytest.fail("two held the lock")
    holder.kill()
    holder.communicate()
    with hold(tmp_path, "chunk 4"):
        pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="boom"), hold(tmp_path, "chunk 3"):
        raise ValueError("boom")
    with hold(tmp_path, "chunk 3"):
        assert (tmp_path / ".lock").stat().st_mode & 0o077 == 0
