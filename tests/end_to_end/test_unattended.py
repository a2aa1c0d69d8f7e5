"""Cron and systemd: a bare environment, silence if all is well, one paragraph if it is not."""

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.booting import PLACE, Manager, booted
from tests.helpers.box import REPOS, ROOT, Box, assert_arrived, data_commits
from tests.helpers.racing import wait_for_fault
from tests.helpers.stock import NewBox
from wikidata.config import Table
from wikidata.records.lock import hold

SCRIPTS = ROOT / "scripts"
NEEDED = ("STATE_DIR", "OUTPUT_DIR", "AUDIT_DIR", "MANIFEST_DIR", "STAGING_DIR", "LOG_DIR", "HF_ENDPOINT", "ATTEMPTS")


@pytest.fixture
def installed(box: Box) -> Path:
    """A checkout with the command where the scripts expect it, a stored login, and three of five tables published."""
    command = box.root / "checkout" / ".venv" / "bin" / "wikidata"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wikidata "$@"\n')
    command.chmod(0o700)
    (box.root / "hf-home").mkdir()
    (box.root / "hf-home" / "token").write_text(box.token)
    for table in ("descriptions", "aliases", "claims"):  # so that the CLI is started for two
        assert replace(box, instant=True).wikidata("push", "--chunk", "3", "--table", table).returncode == 0
    return box.root / "checkout"


def run_bare(box: Box, command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a line as cron does: `env -i`, a short PATH, sh, the home folder."""
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(box.root), "LOGNAME": "wikidata", "SHELL": "/bin/sh"}
    bare |= {name: box.environment[name] for name in NEEDED} | environment
    return subprocess.run(["/bin/sh", "-c", command], cwd="/", env=bare, capture_output=True, text=True, timeout=120)


def cron_line(checkout: Path) -> str:
    lines = (SCRIPTS / "wikidata-push.cron").read_text().splitlines()
    assert "PATH=/usr/bin:/bin" in lines
    schedule = next(line for line in lines if line.startswith("*/5 "))
    return f"WIKIDATA_PUSH={shlex.quote(str(checkout))}; {schedule.split(maxsplit=5)[5]}"


def test_the_line_of_the_crontab_pushes_silently(box: Box, hub: RunningHub, installed: Path) -> None:
    for _ in range(2):  # the second time there is nothing to do
        done = run_bare(box, cron_line(installed), HF_HOME=str(box.root / "hf-home"))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}


def test_a_failure_under_cron_is_one_paragraph(box: Box, hub: RunningHub, installed: Path) -> None:
    hub.set_faults(Fault("commit", status=403, times=None, message="No.", repo="permutans/wikidata-links"))
    done = run_bare(box, cron_line(installed), HF_HOME=str(box.root / "hf-home"))
    assert done.returncode == 1
    assert done.stdout == ""
    first, *tail = done.stderr.splitlines()
    assert first == (
        "wikidata: links: Failed to commit: 403 Forbidden: No.. Make sure your token has the correct permissions."
    )
    lacks, log, then = tail
    assert lacks.startswith("    permutans/wikidata-links lacks ")
    assert log.startswith(f"    log: {box.logs()[0].parent}/links-")
    assert then == "    next: mend that, and push again: only what is missing is sent"
    assert_arrived(box, hub, 3, [table for table in Table if table is not Table.LINKS])


def test_the_same_failure_of_all_tables_is_said_once_without_the_banner_of_the_cli(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=500, times=None, message="Out of order."))
    done = box.make("push", "CHUNK=3")
    *lines, makes_own = done.stderr.splitlines()
    assert lines[0].startswith(
        "wikidata: labels, descriptions, aliases, links, claims: Failed to commit: 500 Server Error"
    )
    assert lines[0].endswith("Out of order.")
    assert len(lines) <= 12
    assert "\x1b" not in done.stderr
    assert "keep in mind" not in done.stderr
    assert sum("500" in line for line in lines) == 1
    assert sum("layout" in line for line in done.stdout.splitlines()) == 1
    assert makes_own.startswith("make: *** ")
    assert "keep in mind" in box.logs()[0].read_text()


def test_the_systemd_service_runs_the_same_command_with_its_credential(
    box: Box, hub: RunningHub, installed: Path
) -> None:
    unit = dict(
        line.split("=", 1) for line in (SCRIPTS / "wikidata-push.service").read_text().splitlines() if "=" in line[:30]
    )
    for setting in ("NoNewPrivileges", "PrivateTmp", "ProtectHome"):
        assert unit[setting] == "yes"
    assert unit["ProtectSystem"] == "strict"
    credential, _ = unit["LoadCredential"].split(":")
    (box.root / credential).write_text(f"{box.token}\n")
    expanded = {name: value.replace(unit["WorkingDirectory"], str(installed)) for name, value in unit.items()}
    environment = dict(item.split("=", 1) for item in expanded["Environment"].replace("%d", str(box.root)).split())
    command = expanded["ExecStart"].replace(" fold", " push")  # the second of two
    assert (
        f"ExecStart={unit['WorkingDirectory']}/.venv/bin/wikidata push\n"
        in (SCRIPTS / "wikidata-push.service").read_text()
    )
    done = run_bare(box, f"cd {shlex.quote(str(installed))} && exec {command}", **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert_arrived(box, hub, 3)


def analyze(command: str, *words: str | Path) -> str:
    """What `systemd-analyze` says; it needs neither systemd at work nor the network."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    options = subprocess.run(["systemd-analyze", "--help"], capture_output=True, text=True).stdout
    for word in map(str, words):
        if word.startswith("--") and word.partition("=")[0] not in options:
            pytest.skip(f"systemd-analyze is too old for {word}")
    done = subprocess.run(["systemd-analyze", command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def copy_units(folder: Path, *replacements: tuple[str, str]) -> list[Path]:
    """Copies of the units with other paths in them."""
    folder.mkdir()
    for name in ("wikidata-push.service", "wikidata-push.timer"):
        text = (SCRIPTS / name).read_text()
        for old, new in replacements:
            assert name.endswith(".timer") or old in text
            text = text.replace(old, new)
        (folder / name).write_text(text)
    return sorted(folder.iterdir())


def test_systemd_knows_every_word_of_the_units(tmp_path: Path) -> None:
    units = copy_units(tmp_path / "units", (f"{PLACE}/.venv/bin/wikidata", "/bin/true"))
    said = analyze("verify", "--man=no", "--recursive-errors=no", *units)
    assert [line for line in said.splitlines() if "wikidata-push" in line] == []  # an unknown word is only a warning


def test_the_service_is_as_hardened_as_it_was(tmp_path: Path) -> None:
    service, _ = copy_units(tmp_path / "units")
    analyze("security", "--offline=true", "--threshold=70", "--no-pager", service)


@pytest.fixture
def manager(box: Box, hub: RunningHub, tmp_path: Path) -> Iterator[Manager]:
    """A systemd with our units, for a checkout that belongs to nobody; what the service says is in the file `said`."""
    units = tmp_path / "units"
    copy_units(units, ("/etc/wikidata-push", PLACE))
    for name in ("basic", "sysinit", "shutdown", "timers", "network-online"):
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    here = f"User=nobody\nEnvironment=HF_ENDPOINT={hub.endpoint}\n"
    here += f"StandardOutput=file:{PLACE}/said\nStandardError=file:{PLACE}/said\n"
    here += f"ProtectHome=tmpfs\nBindReadOnlyPaths={sys.prefix} {sys.base_prefix}\n"  # Python may be in a home folder
    for unit, lines in {"service": f"[Service]\n{here}", "timer": "[Timer]\nOnBootSec=1us\n"}.items():
        (units / f"wikidata-push.{unit}.d").mkdir()
        (units / f"wikidata-push.{unit}.d" / "here.conf").write_text(lines)
    shutil.copytree(ROOT / "src", box.root / "src")
    shutil.copy(ROOT / "Makefile", box.root)
    command = box.root / ".venv" / "bin" / "wikidata"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH={PLACE}/src exec "{sys.executable}" -m wikidata "$@"\n')
    command.chmod(0o755)
    give_to_nobody(box.root)
    (box.root / "hf_token").write_text(f"{box.token}\n")
    (box.root / "hf_token").chmod(0o600)
    with booted(box.root, units) as running:
        yield running


def give_to_nobody(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        shutil.chown(path, "nobody")


@pytest.mark.slow
def test_systemd_starts_stops_and_starts_the_service_again(box: Box, hub: RunningHub, manager: Manager) -> None:
    fault = Fault("commit", action="hang", times=5)
    hub.set_faults(fault)
    manager.control("start", "wikidata-push.timer")
    wait_for_fault(hub, fault, manager.process, 5)
    assert manager.control("stop", "wikidata-push.timer", "wikidata-push.service").returncode == 0
    assert not (manager.group / "system.slice" / "wikidata-push.service").exists()  # nothing of it is alive
    assert manager.result() != "timeout"
    assert (box.root / "said").read_text() == "wikidata: interrupted: nothing is lost, push again to go on\n"
    (box.root / "said").unlink()
    started = manager.control("start", "wikidata-push.service")
    assert (started.returncode, manager.result()) == (0, "success"), (box.root / "said").read_text()
    assert (box.root / "said").read_text() == ""
    assert_arrived(box, hub, 3)
    assert [len(data_commits(hub, repo)) for repo in REPOS.values()] == [1] * 5
    assert box.steps(3) == {4}


@pytest.mark.slow
def test_systemd_tells_a_push_that_waits_from_one_that_failed(box: Box, hub: RunningHub, manager: Manager) -> None:
    with hold(box.root / "manifests", [3], "chunk 3"):
        give_to_nobody(box.root / "manifests")
        assert manager.control("start", "wikidata-push.service").returncode == 0  # 75
        assert (manager.result(), (box.root / "said").read_text()) == ("success", "")
    (box.root / "hf_token").write_text(hub.read_token)
    assert manager.control("start", "wikidata-push.service").returncode != 0
    assert manager.result() == "exit-code"
    assert (box.root / "said").read_text().startswith("wikidata: labels: the token of permutans is read-only")
    assert hub.counts().commits == 0


class Receiver:
    """A monitoring service on localhost: remembers what was posted."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, str]] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                posts.append((self.path, body.decode()))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/uuid"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.mark.instant
def test_a_monitoring_service_hears_of_success_and_failure(new_box: NewBox, receiver: Receiver) -> None:
    small = new_box(chunks={3: 1}, keys=1, rows=1)
    small.settings["PING_URL"] = receiver.url
    assert small.wikidata("push").returncode == 0
    assert small.wikidata("push").returncode == 0
    assert [path for path, _ in receiver.posts] == ["/ping/uuid/start", "/ping/uuid"] * 2
    receiver.posts.clear()
    small.files(Table.LABELS, 3)[0].write_bytes(b"")
    assert small.wikidata("push", "--chunk", "3").returncode == 1
    assert [path for path, _ in receiver.posts] == ["/ping/uuid/start", "/ping/uuid/fail"]
    assert "is empty" in receiver.posts[1][1]


@pytest.mark.instant
def test_every_tick_refreshes_the_page_also_one_that_fails_or_has_nothing_to_do(new_box: NewBox) -> None:
    small = new_box(chunks={3: 1}, keys=1, rows=1)
    page = small.root / "public.html"
    small.settings["PAGE"] = str(page)
    content = small.files(Table.LABELS, 3)[0].read_bytes()
    small.files(Table.LABELS, 3)[0].write_bytes(b"")
    assert small.wikidata("push").returncode == 1
    assert page.read_text().count('<td class="failed">') == 1
    assert "is empty" in page.read_text()
    small.files(Table.LABELS, 3)[0].write_bytes(content)
    with hold(small.root / "manifests", [3], "chunk 3"):
        assert small.wikidata("push").returncode == 75
        assert page.read_text().count('<td class="uploading">') == 1  # four are pushed
    for _ in range(2):  # the second time there is nothing to do
        assert small.wikidata("push").returncode == 0
        assert page.read_text().count('<td class="pushed">') == 5
        page.write_text("")
    small.settings["PAGE"] = str(small.root / "nowhere" / "page.html")
    done = small.wikidata("push")
    assert done.returncode == 0
    assert "warning: PAGE: " in done.stderr


def test_a_tick_with_nothing_to_do_does_not_load_what_draws_and_takes_no_lock(new_box: NewBox) -> None:
    idle = new_box(chunks={30: 1}, keys=1, rows=1, incomplete={30})
    script = "import sys; from wikidata.main import main; code = main(['push'])\n"
    script += "print(code, *sorted({'rich', 'tqdm', 'pyarrow', 'huggingface_hub'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], env=idle.environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
    assert not (idle.root / "manifests" / ".locks").exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://127.0.0.1:9/a space", "http://127.0.0.1:port/"])
def test_a_monitoring_service_that_is_away_is_only_a_warning(box: Box, url: str) -> None:
    done = box.wikidata("push", "--chunk", "30", PING_URL=url)
    assert done.returncode == 1
    assert done.stderr.count("warning: PING_URL") == 2
    assert "chunk 30 is not complete" in done.stderr
    assert box.wikidata("push", PING_URL="ftp://x").returncode == 2


@pytest.mark.instant
def test_old_logs_are_removed_and_new_ones_kept(box: Box) -> None:
    old = box.root / "logs" / "chunk_1" / "labels-1.log"
    new = box.root / "logs" / "chunk_1" / "labels-2.log"
    old.parent.mkdir(parents=True)
    for log in (old, new):
        log.touch()
    os.utime(old, (0, 0))
    assert box.wikidata("push", "--chunk", "3", "--table", "labels").returncode == 0
    assert not old.exists()
    assert new.exists()


def test_a_bug_is_one_line_with_the_traceback_in_a_log(box: Box) -> None:
    script = "import sys, wikidata.state, wikidata.main\nwikidata.state.get_all_state = lambda *_: 1 / 0\n"
    script += "sys.exit(wikidata.main.main(['status']))"
    done = subprocess.run([sys.executable, "-c", script], env=box.environment, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.startswith("wikidata: a bug, ZeroDivisionError: the traceback is in ")
    assert len(done.stderr.splitlines()) == 1
    (log,) = (box.root / "logs").glob("bug-*.log")
    assert "ZeroDivisionError" in log.read_text()
