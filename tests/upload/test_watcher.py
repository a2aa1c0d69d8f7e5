"""The watcher: a CLI that goes wrong is killed at once, whatever it does, and leaves a log without secrets."""

import json
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wikidata.errors import Kind
from wikidata.upload.progress import Progress, ProgressMeter
from wikidata.upload.watcher import LOG_LIMIT_BYTES, Limits, Outcome, watch

NEVER = Limits(stall_seconds=60, timeout_seconds=60)
FOREVER = "import time\nwhile True: time.sleep(60)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    staged = tmp_path / "staged" / "language=en"
    staged.mkdir(parents=True)
    (staged / "a.parquet").write_bytes(b"x" * 10)
    return tmp_path / "staged"


def run(folder: Path, script: str, limits: Limits = NEVER, show: Callable[[Progress], None] = print) -> Outcome:
    command = [sys.executable, "-u", "-c", textwrap.dedent(script), str(folder)]
    return watch(command, folder.parent / "logs" / "run.log", folder, limits, show, lifeline=False)


def log_of(folder: Path) -> str:
    return (folder.parent / "logs" / "run.log").read_text()


def wait_for_death(pid: int) -> None:
    """Return once a process has ended; fail if it has not within seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    died = poll.poll(5000)
    os.close(descriptor)
    assert died, f"process {pid} is still alive"


def test_output_goes_to_the_log_and_its_end_to_the_outcome(folder: Path) -> None:
    script = "import sys\nfor n in range(40): print('line', n, file=sys.stderr)\nprint('no newline', end='')"
    outcome = run(folder, script)
    assert outcome.kind is None
    assert outcome.exit_code == 0
    assert outcome.tail == (*(f"line {n}" for n in range(16, 40)), "no newline")
    assert log_of(folder).splitlines() == [*(f"line {n}" for n in range(40)), "no newline"]
    assert (folder.parent / "logs" / "run.log").stat().st_mode & 0o077 == 0


def test_a_cli_that_would_retry_for_ever_is_killed_at_its_first_failed_job(folder: Path) -> None:
    outcome = run(
        folder,
        """
        import itertools
        for n in itertools.count():
            error = '403 Client Error: Forbidden for url: http://hub/x (ID: %d)' % n
            print(f'Failed to commit: {error}\\n\\nNo rights.\\n', end='')
        """,
    )
    assert outcome.kind is Kind.PERMANENT
    assert outcome.message.startswith("Failed to commit: 403 Client Error: Forbidden for url: http://hub/x (ID: 0)")
    assert outcome.message.endswith("No rights.")
    assert len(log_of(folder)) <= LOG_LIMIT_BYTES + 1000


def test_a_cli_that_dies_without_naming_an_error_may_be_tried_again(folder: Path) -> None:
    outcome = run(folder, "raise UnboundLocalError('metadata')")
    assert outcome.kind is Kind.TRANSIENT
    assert outcome.message == "the upload CLI ended with exit code 1: UnboundLocalError: metadata"


def test_a_cli_that_is_killed_may_be_tried_again(folder: Path) -> None:
    assert run(folder, "import os; os.kill(os.getpid(), 9)").exit_code == -signal.SIGKILL


def test_a_program_that_is_not_there_is_refused(folder: Path) -> None:
    outcome = watch(["/nowhere/cli"], folder.parent / "log", folder, NEVER, print, lifeline=False)
    assert outcome.kind is Kind.PERMANENT
    assert outcome.message.startswith("cannot start /nowhere/cli: No such file")


def test_reports_without_progress_do_not_keep_a_hung_cli_alive(folder: Path) -> None:
    outcome = run(folder, "import time\nwhile True: print('report'); time.sleep(0.05)", Limits(1.5, 60))
    assert outcome.kind is Kind.TRANSIENT
    assert outcome.message == "nothing has advanced for 0.025 minutes"


def test_bytes_that_are_read_are_progress(folder: Path) -> None:
    script = """
        import time
        with open('/dev/zero', 'rb') as zeros:
            for _ in range(35):
                zeros.read(1 << 17)
                time.sleep(0.1)
        """
    assert run(folder, script, Limits(1.5, 60)).kind is None


def test_an_upload_that_takes_too_long_is_killed(folder: Path) -> None:
    assert run(folder, FOREVER, Limits(60, 0.5)).message == "still not done after 0.000138889 hours"


def test_killing_the_cli_kills_what_it_started(folder: Path) -> None:
    script = f"""
        import subprocess, sys
        child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])
        print('child', child.pid)
        print('Failed to commit: 400 Client Error: Bad Request')
        child.wait()
        """
    outcome = run(folder, script)
    assert outcome.kind is Kind.PERMANENT
    wait_for_death(int(outcome.tail[0].split()[1]))


def test_the_token_never_reaches_the_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret-of-the-local-hub")
    stored = "hf_" + "A1b2" * 9
    outcome = run(
        folder,
        f"print('token secret-of-the-', end='', flush=True); print('local-hub {stored}')\n"
        "print('Failed to commit: 403 Client Error: Bearer abc.def refused')",
    )
    everything = log_of(folder) + repr(outcome)
    assert "token *** ***" in everything
    assert not any(secret in everything for secret in ("secret-of", stored, "abc.def"))


def test_endless_output_does_not_fill_the_disk(folder: Path) -> None:
    outcome = run(folder, "for n in range(200): print('x' * 100_000)")
    assert outcome.kind is None
    assert len(log_of(folder)) < LOG_LIMIT_BYTES + 200_000


def test_progress_is_read_from_the_cache_of_the_cli(folder: Path) -> None:
    shown: list[Progress] = []
    script = """
        import pathlib, sys
        cache = pathlib.Path(sys.argv[1], '.cache/huggingface/upload/language=en/a.parquet.metadata')
        cache.parent.mkdir(parents=True)
        cache.write_text('1.0\\n10\\n0\\nabc\\nlfs\\n\\n1\\n1\\n')
        (cache.parent / 'b.parquet.metadata').write_text('1.0\\n')
        """
    command = [sys.executable, "-c", textwrap.dedent(script), str(folder)]
    watch(command, folder.parent / "log", folder, NEVER, shown.append, lifeline=False)
    assert (shown[-1].files, shown[-1].uploaded, shown[-1].committed) == (1, 1, 1)
    assert (shown[-1].size_bytes, shown[-1].uploaded_bytes) == (10, 10)


def test_progress_is_heard_from_a_cli_without_a_cache_and_is_not_an_advance(folder: Path) -> None:
    meter = ProgressMeter(folder, pid=2**22 + 1)
    meter.hear("Uploading... 3,000/5,000 files checked, 2,500/2,600 uploaded (4MB transferred), 1,024 committed in 4 …")
    meter.hear("Uploading 1 file, 7 committed in all")
    assert meter.measure() == Progress(
        files=1, uploaded=2500, committed=1024, size_bytes=10, uploaded_bytes=0, advanced=False
    )


def test_what_hf_upload_prints_is_heard(folder: Path) -> None:
    shown: list[Progress] = []
    line = "Uploading... 1/1 files checked, 1/1 uploaded (10.0B transferred), 1 committed in 1 commit(s), validating 0%"
    assert run(folder, f"print({line!r})", show=shown.append).kind is None
    assert (shown[-1].uploaded, shown[-1].committed) == (1, 1)


def test_nothing_new_is_not_an_advance(folder: Path) -> None:
    meter = ProgressMeter(folder, pid=2**22 + 1)
    meter.measure()
    assert not meter.measure().advanced


@contextmanager
def watcher(folder: Path, script: str, *flags: str) -> "Iterator[subprocess.Popen[str]]":
    """`wikidata watch` around a CLI that first prints its process id into the log."""
    command = [sys.executable, "-m", "wikidata", "watch", "--log", str(folder.parent / "log"), "--folder", str(folder)]
    program = [sys.executable, "-u", "-c", "import os; print(os.getpid())\n" + script]
    with subprocess.Popen(
        [*command, *flags, "--", *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def started_cli(process: "subprocess.Popen[str]", folder: Path) -> int:
    """The process id of the CLI, once it runs: the watcher reports every second meanwhile."""
    assert process.stdout is not None
    while "progress" in json.loads(process.stdout.readline()):
        if said := (folder.parent / "log").read_text():
            return int(said)
    raise AssertionError("the CLI ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_cli_survives_its_watcher(folder: Path, number: signal.Signals) -> None:
    ignoring = "import signal; signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)\n"
    with watcher(folder, ignoring + FOREVER) as process:
        cli = started_cli(process, folder)
        process.send_signal(number)
        assert process.wait(5) != 0
        wait_for_death(cli)


def test_the_cli_is_killed_when_the_lifeline_closes(folder: Path) -> None:
    with watcher(folder, FOREVER, "--lifeline") as process:
        cli = started_cli(process, folder)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(5) == 128 + signal.SIGTERM
        wait_for_death(cli)


def test_the_outcome_is_reported_as_json(folder: Path) -> None:
    with watcher(folder, "") as process:
        assert process.stdout is not None
        reports = [json.loads(line) for line in process.stdout]
        assert reports[-1]["outcome"]["kind"] is None
        assert process.wait(5) == 0
