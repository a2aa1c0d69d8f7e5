"""Starting and ending a local Hub."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from localhub import READ_TOKEN, WRITE_TOKEN
from localhub.testing import running_hub


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "localhub", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_what_to_export_serves_and_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    ready_file = tmp_path / "ready.json"
    with start("--root", str(tmp_path / "hub"), "--ready-file", str(ready_file)) as process:
        assert process.stdout
        lines = [process.stdout.readline(), process.stdout.readline()]
        ready = json.loads(ready_file.read_text())
        assert ready == {
            "endpoint": ready["endpoint"],
            "token": WRITE_TOKEN,
            "read_token": READ_TOKEN,
            "pid": process.pid,
        }
        assert lines == [f"export HF_ENDPOINT={ready['endpoint']}\n", f"export HF_TOKEN={WRITE_TOKEN}\n"]
        assert requests.get(f"{ready['endpoint']}/api/whoami-v2", timeout=10).status_code == 401
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")
    assert not ready_file.exists()


def test_it_ends_with_its_stdin(tmp_path: Path) -> None:
    with start("--root", str(tmp_path), "--exit-with-stdin") as process:
        assert process.stdout
        process.stdout.readline()
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_it_listens_on_the_loopback_only_and_writes_to_its_folder_only(tmp_path: Path) -> None:
    with running_hub(tmp_path / "hub") as hub:
        port = int(hub.endpoint.rpartition(":")[2])
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert f"0100007F:{port:04X}" in listening
        assert f"00000000:{port:04X}" not in listening
    assert os.listdir(tmp_path) == ["hub"]


def test_two_cannot_share_a_folder_or_a_port(tmp_path: Path) -> None:
    with running_hub(tmp_path / "hub") as hub:
        port = hub.endpoint.rpartition(":")[2]
        for words, reason in (
            (["--root", str(tmp_path / "hub")], "another one runs with --root"),
            (["--root", str(tmp_path / "other"), "--port", port], "cannot listen on"),
        ):
            with start(*words) as process:
                _, errors = process.communicate(timeout=10)
            assert (process.returncode, len(errors.splitlines())) == (1, 1)
            assert reason in errors


def test_it_comes_back_on_the_same_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for _ in range(2):
        with running_hub(tmp_path, port=port) as hub:
            assert hub.endpoint == f"http://127.0.0.1:{port}"
            requests.get(f"{hub.endpoint}/api/whoami-v2", timeout=10)
            hub.kill()


def test_a_hub_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not start"), running_hub(tmp_path, arguments=["--no-such-flag"]):
        pass
