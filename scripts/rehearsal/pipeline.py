"""The pipeline beside the push: it brings every part to PARTITION in random order, and clears away what is pushed."""

import threading
import time
from collections import Counter
from pathlib import Path

from scripts.rehearsal.chunks import in_random_order, seeded
from scripts.rehearsal.contents import Contents
from scripts.sample.source_files import STATE, find_files
from scripts.sample.write import Options, make_folders, write_table
from wikidata.config import Table
from wikidata.names import Source
from wikidata.state import Step, parse_step

CHUNKS_AHEAD = 4
"""Chunks that may be complete and not yet pushed: the pipeline waits rather than fill the disk."""

STEP = b'{"step": %d}\n'
TORN_STATES = (1 / 25, 0.2)
TORN_LAST_STATES = (1 / 3, 2.0)
"""The share of state files that are half-written, and the most seconds for so long. The one that would complete a
chunk matters most."""


class Pipeline(threading.Thread):
    """Writes below `root` what the pipeline leaves of the chunks in `sizes`, until that is done or `stop` is called.

    `complete` and `pushed` are the chunks that are, as far as it has noticed; `error` is what it failed of.
    """

    def __init__(self, root: Path, contents: Contents, sizes: dict[int, int], seed: int) -> None:
        super().__init__(name="pipeline", daemon=True)
        self.root, self.sizes, self.seed = root, sizes, seed
        self.files = self.rows = 0
        self.error: BaseException | None = None
        self.complete: set[int] = set()
        self.pushed: set[int] = set()
        self._options = Options(contents, split_keys=(), incomplete=(), process_files=True)
        self._chance = seeded(seed, "torn")
        self._missing = Counter(sizes)
        self._cleared: set[int] = set()
        self._is_stopped = False
        self._room = threading.Condition()

    def prepare(self) -> None:
        """Make the folders, and the state files of all parts at INIT."""
        make_folders(self.root)
        for source in in_random_order(self.sizes, self.seed):
            self._state_file(source).write_bytes(STEP % Step.INIT)

    def run(self) -> None:
        """Bring one part after the other to PARTITION."""
        try:
            for source in in_random_order(self.sizes, self.seed):
                with self._room:
                    self._room.wait_for(lambda: self._is_stopped or len(self.complete - self.pushed) < CHUNKS_AHEAD)
                if self._is_stopped:
                    return
                self._partition(source)
        except BaseException as error:
            self.error = error
            raise

    def stop(self) -> None:
        """Write nothing more, and wait until nothing is written any more."""
        with self._room:
            self._is_stopped = True
            self._room.notify_all()
        self.join()

    def note_pushed(self) -> None:
        """Look which complete chunks have reached PUSH, so that there is room for more."""
        found = {chunk for chunk in self.complete - self.pushed if self._is_pushed(chunk)}
        with self._room:
            self.pushed |= found
            self._room.notify_all()

    def clear_pushed(self) -> None:
        """Delete the local files of pushed chunks, as the pipeline does at COMPLETE; call it while nobody pushes.

        Their state stays at PUSH, which is where the rehearsal ends.
        """
        for path in find_files(self.root, self.pushed - self._cleared):
            if not path.startswith(STATE):
                (self.root / path).unlink()
        self._cleared |= self.pushed

    def _partition(self, source: Source) -> None:
        self._write_state(source, Step.PROCESS)
        for table in Table:
            files, rows = write_table(self.root, table, source, self._options)
            self.files += files
            self.rows += rows
        self._write_state(source, Step.PARTITION, is_last=self._missing[source.chunk] == 1)
        self._missing[source.chunk] -= 1
        if not self._missing[source.chunk]:
            self.complete.add(source.chunk)

    def _write_state(self, source: Source, step: Step, is_last: bool = False) -> None:
        """Write a state file in place, sometimes with a pause in the middle of its line."""
        share, seconds = TORN_LAST_STATES if is_last else TORN_STATES
        line = STEP % step
        with self._state_file(source).open("wb", buffering=0) as file:
            if self._chance.random() < share:
                cut = self._chance.randrange(len(line) - 2)
                file.write(line[:cut])
                time.sleep(self._chance.uniform(0, seconds))
                line = line[cut:]
            file.write(line)

    def _is_pushed(self, chunk: int) -> bool:
        """Whether all parts are at PUSH; the last one is raised last, so most often one look is enough."""
        parts = self.sizes[chunk]
        files = (self._state_file(Source(chunk, part, parts)) for part in reversed(range(parts)))
        return all(parse_step(file.read_bytes()) == Step.PUSH for file in files)

    def _state_file(self, source: Source) -> Path:
        return self.root / STATE / f"{source.stem}.jsonl"
