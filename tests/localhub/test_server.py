"""Starting and ending a local Hub."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from localhub import WRITE_TOKEN
from localhub.testing import running_hub


def start(*words: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", "localhub", *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_what_to_export_serves_and_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with start("--root", str(tmp_path / "hub")) as process:
        assert process.stdout
        name, _, endpoint = process.stdout.readline().strip().partition("=")
        assert (name, process.stdout.readline()) == ("export HF_ENDPOINT", f"export HF_TOKEN={WRITE_TOKEN}\n")
        assert requests.get(f"{endpoint}/api/whoami-v2", timeout=10).status_code == 401
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")


def test_it_listens_on_the_loopback_shares_no_folder_or_port_and_comes_back(tmp_path: Path) -> None:
    with running_hub(tmp_path / "hub") as hub:
        port = hub.endpoint.rpartition(":")[2]
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert {one[:8] for one in listening if one.endswith(f":{int(port):04X}")} == {"0100007F"}
        for words, reason in (
            (["--root", str(tmp_path / "hub")], "another one runs with --root"),
            (["--root", str(tmp_path / "other"), "--port", port], "cannot listen on"),
        ):
            with start(*words) as process:
                _, errors = process.communicate(timeout=10)
            assert (process.returncode, len(errors.splitlines()), reason in errors) == (1, 1, True)
        hub.kill()
    with running_hub(tmp_path / "hub", port=int(port)) as again:
        assert again.endpoint == hub.endpoint
