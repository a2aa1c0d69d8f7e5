"""Boxes whose commands run inside the test, with a stand-in for the CLI: cheap, and they can be patched."""

import io
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.utils.tqdm import tqdm

from localhub.testing import RunningHub
from tests.helpers.box import Box
from tests.helpers.forking import INSTANT, Done
from tests.helpers.stock import Stock
from wikidata.config import Table, target_repos
from wikidata.main import main
from wikidata.upload import run

LABELS = Table.LABELS


class InstantBox(Box):
    """A box that starts no program."""

    def wikidata(self, *words: str, **settings: str) -> Done:
        """Run the command behind `wikidata …` in this process."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in (self.environment | settings).items():
                patch.setenv(name, value)
            patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
            patch.setattr(run, "subprocess", INSTANT)
            patch.setattr(os, "fsync", lambda _: None)
            tqdm.set_lock(threading.RLock())  # a real CLI has its own
            code = 2
            with suppress(SystemExit):  # of argparse
                code = main(words)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return Done(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Account:
    """A user of a Hub that several tests share, and the folder for the user's boxes."""

    hub: RunningHub
    user: str
    token: str
    root: Path
    stock: Stock

    @property
    def api(self) -> HfApi:
        """The Hub's own library, as this user."""
        return HfApi(endpoint=self.hub.endpoint, token=self.token)

    def new_box(self, name: str, chunks: Mapping[int, int], *, keys: int = 2, **settings: str) -> InstantBox:
        """A box with these chunks, which have two rows of each key."""
        self.stock.copy_sample(self.root / name, chunks=dict(chunks), keys=keys, rows=2, process_files=False)
        return self.empty_box(name, **settings)

    def empty_box(self, name: str, **settings: str) -> InstantBox:
        """A box that has nothing yet."""
        (self.root / name).mkdir(exist_ok=True)
        ours = {"HF_USER": self.user, "UPLOADER": "library", "LAYOUT": "packed", **settings}
        return InstantBox(self.root / name, self.hub.endpoint, self.token, ours)

    def repo(self, table: Table = LABELS) -> str:
        """The user's repo of a table."""
        return target_repos(self.user)[table]

    def read(self, path: str, table: Table = LABELS) -> bytes:
        """A file of the head of a repo."""
        return self.hub.read(self.repo(table), path)

    def titles(self, table: Table = LABELS) -> list[str]:
        """The titles of a repo's commits, the newest first."""
        return [commit.title for commit in self.hub.commits(self.repo(table))]


def push(box: InstantBox, chunk: int, **settings: str) -> Done:
    """Push labels of a chunk, which must succeed."""
    done = box.wikidata("push", "--chunk", str(chunk), "--table", "labels", **settings)
    assert done.returncode == 0, done.stderr
    return done
