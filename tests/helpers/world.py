"""The world that pushes die in: a Hub, a process that forks them, and everything that a push leaves."""

import json
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localhub.auth import Identity
from localhub.testing import RunningHub
from tests.helpers.box import Box, data_commits
from tests.helpers.forking import Done, Forks
from tests.helpers.stock import Stock
from wikidata.config import Table, target_repos


@dataclass(frozen=True)
class World:
    """A Hub, forks that push and die, and a box with a Hub user of its own for each of them."""

    hub: RunningHub
    forks: Forks
    stock: Stock
    root: Path

    def new_box(self, name: str, keys: int) -> Box:
        """A box whose chunk 3 is complete; `name` is the user that owns its repos."""
        root = self.root / name
        self.stock.copy_sample(root, chunks={3: 1}, keys=keys, rows=1, process_files=False)
        self.stock.copy_versions(root / "manifests", "huggingface-cli")
        self.hub.add_token(f"token-of-{name}", Identity(name))
        return Box(root, self.hub.endpoint, f"token-of-{name}", {"HF_USER": name, "JOBS": "1"})

    def run(self, box: Box, words: tuple[str, ...], die_at: int | None = None, torn: bool = False) -> Done:
        """Run a command in a fork that dies before the effect with the index `die_at`."""
        return self.forks.run(box.environment, words, instant=True, mortal=True, die_at=die_at, torn=torn)

    def die(self, box: Box, words: tuple[str, ...], number: int, torn: bool = False) -> Done:
        """Run a command that dies before the effect with the index `number`, which it must come to."""
        died = self.run(box, words, number, torn)
        assert (died.returncode, len(died.effects)) == (-signal.SIGKILL, number + 1), died
        return died

    def remains(self, box: Box) -> dict[str, object]:
        """Everything a push leaves, but for what may differ between two that are equally good: times, owners, logs.

        Locks are free, whichever there were.
        """
        left: dict[str, object] = {}
        for path in sorted(box.root.rglob("*")):
            name = str(path.relative_to(box.root))
            if name.startswith("manifests/.locks"):
                assert path.is_dir() or not path.read_bytes(), name
            elif not name.startswith("logs/"):
                left[name] = (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
            if name.endswith(".receipt.json"):
                left[name] = self._facts(path)
        for repo in target_repos(box.settings["HF_USER"]).values():
            with suppress(LookupError):
                left[repo.partition("/")[2]] = self._files(repo)
        return left

    def _facts(self, path: Path) -> dict[str, object]:
        """What a receipt, or another of our files, says of any repo of that name."""
        facts: dict[str, object] = json.loads(path.read_bytes())
        if facts.pop("confirmed_at", None):
            assert facts.pop("commit") in [commit.oid for commit in self.hub.commits(str(facts["repo"]))[:-1]]
        return facts | {"repo": str(facts["repo"]).partition("/")[2]}

    def _files(self, repo: str) -> dict[str, object]:
        """The files of a repo; of its card, which names the repo, the text."""
        files: dict[str, object] = dict(self.hub.files(repo))
        if "README.md" in files:
            files["README.md"] = self.hub.read(repo, "README.md").decode().replace(repo.partition("/")[0] + "/", "")
        return files

    def taken_in(self, box: Box) -> dict[Table, tuple[int, int, int]]:
        """What the Hub has taken in for each table: commits of data, other commits, and bytes of content."""
        all_counts, taken = self.hub.counts(), {}
        for table, repo in target_repos(box.settings["HF_USER"]).items():
            counts = all_counts.of(repo)
            data = len(data_commits(self.hub, repo)) if counts.commits else 0
            taken[table] = (data, counts.commits - data, counts.uploaded_bytes)
        return taken
