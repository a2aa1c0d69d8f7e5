"""A push as a person sees it, in a real terminal: tmux, which draws what a program writes."""

import os
import pty
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.box import Box
from tests.helpers.stock import NewBox


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux here")

    def run(*words: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout

    yield run
    run("kill-server")


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_progress_fits_and_leaves_nothing_behind(
    width: int, new_box: NewBox, hub: RunningHub, tmux: Callable[..., str]
) -> None:
    box = new_box(chunks={3: 1}, keys=4, rows=1)
    hub.set_latency(0.1, 0.4)
    names = ("PATH", "HF_TOKEN", "HF_ENDPOINT", "HF_HUB_DISABLE_XET", "HF_HOME", "HOME")
    words = [f"{name}={box.environment[name]}" for name in names]
    command = shlex.join(["env", "-u", "TMUX", *words, sys.executable, "-m", "wikidata", "push"])
    tmux(
        "new-session",
        "-d",
        "-x",
        str(width),
        "-y",
        "50",
        f"cd {shlex.quote(str(box.root))} && {command}; echo OVER; cat",
    )
    seen: list[str] = []
    deadline = time.monotonic() + 90
    while "OVER" not in (screen := tmux("capture-pane", "-p").rstrip().splitlines()) and time.monotonic() < deadline:
        seen += screen
        time.sleep(0.1)
    assert any(line.startswith("chunk 3  ") for line in seen)
    assert any(line.startswith("descriptions") and line.endswith("uploading") for line in seen)
    left = "".join(tmux("capture-pane", "-p", "-J").split())
    assert left.startswith("layoutfiles")
    assert left.endswith("chunk3ispushedOVER")
    assert left.count("uploadednow") == 5
    assert "%" not in left
    assert box.steps(3) == {4}


def test_a_dumb_terminal_gets_lines_and_a_quiet_one_nothing(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=503, repo="permutans/wikidata-labels"))
    for settings, table in ({"TERM": "dumb"}, "labels"), ({"TERM": "xterm", "QUIET": "1"}, "links"):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "wikidata", "push", "--chunk", "3", "--table", table]
        done = subprocess.run(
            command, env=box.environment | settings, cwd=box.root, stderr=theirs, stdout=theirs, timeout=60
        )
        os.close(theirs)
        said = os.read(ours, 1 << 16).decode() if "QUIET" not in settings else ""
        os.close(ours)
        assert done.returncode == 0
        assert "\x1b" not in said
        assert ("labels: uploading 8 files" in said) is ("QUIET" not in settings)
