"""One push of a chunk at a time, several of different ones, and a dead one holds nobody up."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wikidata.config import Table
from wikidata.errors import LockedError
from wikidata.records import lock
from wikidata.records.lock import hold, hold_records, hold_repo, hold_this_host, holders

HOLD = """
import sys
from pathlib import Path
from wikidata.records import lock
with lock.{}: print("held", flush=True); sys.stdin.read()
"""
BLOCK = range(16)


@contextmanager
def holding(call: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds a lock."""
    command = [sys.executable, "-c", HOLD.format(call)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_push_is_told_who_holds_the_lock_until_that_is_killed(tmp_path: Path) -> None:
    with holding(f"hold(Path({str(tmp_path)!r}), [3], 'chunk 3')") as holder:
        who = rf"process {holder.pid} on {socket.gethostname()} \(chunk 3\) holds the lock since 20"
        for chunks in ([3], BLOCK):
            with pytest.raises(LockedError, match=who), hold(tmp_path, chunks, "fold of chunks 0 to 15"):
                pytest.fail("two held the lock")
        with hold(tmp_path, [4], "chunk 4"), hold(tmp_path, range(16, 32), "fold of chunks 16 to 31"):
            told = [(each.pid == holder.pid, each.purpose) for each in holders(tmp_path)]
        assert told == [(True, "chunk 3"), (False, "chunk 4"), (False, "fold of chunks 16 to 31")]
        holder.kill()
        holder.wait()
        assert holders(tmp_path) == []
        with hold(tmp_path, BLOCK, "fold of chunks 0 to 15"):
            with pytest.raises(LockedError, match="fold of chunks 0 to 15"), hold(tmp_path, [3], "chunk 3"):
                pytest.fail("two held the lock")
            assert [each.purpose for each in holders(tmp_path)] == ["fold of chunks 0 to 15"]


def test_a_fold_that_is_turned_away_holds_nothing(tmp_path: Path) -> None:
    with hold(tmp_path, [9], "chunk 9"):
        with pytest.raises(LockedError), hold(tmp_path, BLOCK, "fold"):
            pytest.fail("two held the lock")
        with hold(tmp_path, range(9), "fold"):
            pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="boom"), hold(tmp_path, [3], "chunk 3"):
        raise ValueError("boom")
    assert holders(tmp_path) == []
    with hold(tmp_path, [3], "chunk 3"):
        assert (tmp_path / ".locks" / "chunk_3").stat().st_mode & 0o077 == 0


def test_what_is_held_for_an_instant_is_waited_for(tmp_path: Path) -> None:
    with holding(f"hold(Path({str(tmp_path)!r}), [3])") as holder:
        assert holders(tmp_path) == []
        assert holder.stdin is not None
        holder.stdin.close()
        with hold(tmp_path, [3], "chunk 3"):
            assert holder.wait(10) == 0


def test_nobody_is_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "INSTANT_SECONDS", 0.05)
    monkeypatch.setattr(lock, "TURN_SECONDS", 0.05)
    with holding(f"hold_records(Path({str(tmp_path)!r}))"), pytest.raises(LockedError), hold_records(tmp_path):
        pytest.fail("two held the lock")
    with holding(f"hold_repo(Path({str(tmp_path)!r}), 'labels')"), hold_repo(tmp_path, Table.LABELS):
        pass  # a conflict of commits is no harm


def test_a_host_has_one_tick_and_its_present_purpose_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_790_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    with hold_this_host(tmp_path) as begin:
        now += 3600
        begin("chunk 7")
        now += 5
        with (
            pytest.raises(LockedError, match=r"\(chunk 7\) holds the lock since") as turned_away,
            hold_this_host(tmp_path),
        ):
            pytest.fail("two held the lock")
        assert turned_away.value.held_seconds == 5
        assert holders(tmp_path) == []  # that is told by the lock of the chunk
        monkeypatch.setattr(socket, "gethostname", lambda: "another/../box")
        with hold_this_host(tmp_path):
            pass
