"""The grammar of every file name and path: the pipeline's files, the files on the Hub, and our own records.

A chunk of `parts` source files has, for each part, `chunk_3-00001-of-00064.parquet`, a state file of the same stem, a
sidecar of the same name, and in each key's folder a partition file of the same name, or several if the writer split
it: `language=en/chunk_3-00001-of-00064_1.parquet`. Chunks are not zero-padded, parts have five digits at least. On the
Hub these files lie as they are, or packed: `language=en/chunk_3.parquet`, or folded, with the rows of several chunks:
`language=en/chunk_0-15.parquet`. For every key, each chunk is in one file alone, also by the names.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from wikidata.config import Layout, Table

ANY_CHUNK = "chunk_*"
"""Glob of the folders that records, logs and staged files of a chunk lie in."""
TASK_LOGS = "tasks"
"""The folder of LOG_DIR that the output of Slurm's tasks lies in."""
DATA_FILES = "chunk_*.parquet"
"""Glob of the data files in a key's folder, in any layout."""
PARTS_OF_STATE_FILE = r"-of-([0-9]+)\.jsonl$"
"""Pattern of the number of parts in the name of a state file, for polars."""

_SOURCE = r"chunk_(0|[1-9][0-9]*)-([0-9]{5,})-of-([0-9]{5,})"
_STATE = re.compile(rf"{_SOURCE}\.jsonl")
_PARTITION = re.compile(rf"{_SOURCE}(?:_([0-9]+))?\.parquet")
_BLOCK = r"chunk_(0|[1-9][0-9]*)(?:-([1-9][0-9]*))?"
_PACKED = re.compile(rf"{_BLOCK}\.parquet")
_KEY = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
_KEY_FOLDER = re.compile(r"[^/=]+=[^/]+")


class Source(NamedTuple):
    """A source file: one of the `parts` parts of a chunk."""

    chunk: int
    part: int
    parts: int

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return f"chunk_{self.chunk}-{self.part:05d}-of-{self.parts:05d}"

    @property
    def file(self) -> str:
        """Its name, which is also that of its sidecars."""
        return f"{self.stem}.parquet"

    @property
    def state_file(self) -> str:
        """The name of its state file."""
        return f"{self.stem}.jsonl"


@dataclass(frozen=True, order=True)
class Block:
    """Consecutive chunks, `first` to `last`, often just one: those of a file, of a manifest, or of a fold."""

    first: int
    last: int

    @property
    def name(self) -> str:
        """The stem of its files, and the folder of what is recorded and staged here: `chunk_3`, `chunk_0-15`."""
        return f"chunk_{self.first}" if self.is_one else f"chunk_{self.first}-{self.last}"

    def __str__(self) -> str:
        return f"chunk {self.first}" if self.is_one else f"chunks {self.first} to {self.last}"

    @property
    def is_one(self) -> bool:
        """Whether it is a single chunk."""
        return self.first == self.last

    @property
    def chunks(self) -> range:
        """The numbers of its chunks."""
        return range(self.first, self.last + 1)

    def covers(self, other: "Block") -> bool:
        """Whether every chunk of the other is one of its own."""
        return self.first <= other.first and other.last <= self.last

    def meets(self, other: "Block") -> bool:
        """Whether they have a chunk in common."""
        return self.first <= other.last and other.first <= self.last


def one(chunk: int) -> Block:
    """The block of one chunk."""
    return Block(chunk, chunk)


def runs(chunks: Iterable[int]) -> list[Block]:
    """Chunk numbers as blocks without gaps, lowest first."""
    numbered = enumerate(sorted(chunks))
    gathered = [[chunk for _, chunk in run] for _, run in groupby(numbered, lambda pair: pair[1] - pair[0])]
    return [Block(run[0], run[-1]) for run in gathered]


def _block(match: re.Match[str]) -> Block | None:
    """The block in the first two groups of a match; None if it would run backwards."""
    first, last = int(match[1]), int(match[2] or match[1])
    return Block(first, last) if first < last or match[2] is None else None


class DataFile(NamedTuple):
    """A data file in a repo, by its path; `source` and `split` are those of a partition file, and None if packed."""

    folder: str
    block: Block
    source: Source | None
    split: int | None

    @property
    def layout(self) -> Layout:
        """The layout that it belongs to."""
        return Layout.FILES if self.source else Layout.PACKED


def parse_state_file(file: str) -> Source | None:
    """The source file of a state file; None if it is not one (`chunk_03-…`, unpadded parts, temporary files)."""
    match = _STATE.fullmatch(file)
    if match is None:
        return None
    source = Source(int(match[1]), int(match[2]), int(match[3]))
    return source if source.state_file == file else None


def is_key(text: str) -> bool:
    """Whether this is a key: a lower-case code with hyphens or underscores."""
    return _KEY.fullmatch(text) is not None


def key_folder(table: Table, key: str) -> str:
    """The folder of a key, such as `language=en`."""
    return f"{table.partition_column}={key}"


def key_of(table: Table, folder: str) -> str | None:
    """The key of a folder of a table; None if the folder is not one of a key."""
    column, _, key = folder.partition("=")
    return key if column == table.partition_column and is_key(key) else None


def is_key_folder(path: str) -> bool:
    """Whether a folder in a repo is one of a key, of any table."""
    return _KEY_FOLDER.fullmatch(path) is not None


def packed_path(table: Table, key: str, block: Block) -> str:
    """The path of the packed or folded file of a key."""
    return f"{key_folder(table, key)}/{packed_file(block)}"


def packed_file(block: Block) -> str:
    """The name of a packed or folded file, in any key's folder."""
    return f"{block.name}.parquet"


INCOMING_FOLDER = "folding"
"""The folder of a repo that files are sent to which one commit then moves to their places."""


def incoming_path(path: str) -> str:
    """Where a data file is sent before it is moved: a name that no reader's pattern matches, not even `**/*.parquet`.

    The ending `bin` is one that new repos keep in LFS, whatever the size (their `.gitattributes`).
    """
    return f"{INCOMING_FOLDER}/{path.removesuffix('.parquet')}.bin"


def partition_file(source: Source, split: int) -> str:
    """The name of a partition file, in any key's folder."""
    return f"{source.stem}_{split}.parquet" if split else source.file


def partition_files_of(chunk: int) -> re.Pattern[str]:
    """Matches the names of a chunk's partition files; the groups are part, parts, and split if there is one."""
    return re.compile(rf"chunk_{chunk}-([0-9]{{5,}})-of-([0-9]{{5,}})(?:_([0-9]+))?\.parquet")


def is_unpartitioned(name: str, chunk: int) -> bool:
    """Whether this is what PROCESS left for a source file of the chunk, beside the folders of keys."""
    return name.startswith(f"chunk_{chunk}-")


def parse_data_file(path: str) -> DataFile | None:
    """A path in a repo as a data file of any layout; None if it is something else."""
    folder, _, name = path.rpartition("/")
    if not is_key_folder(folder):
        return None
    if match := _PARTITION.fullmatch(name):
        source = Source(int(match[1]), int(match[2]), int(match[3]))
        return DataFile(folder, one(source.chunk), source, int(match[4] or 0))
    if (match := _PACKED.fullmatch(name)) and (block := _block(match)):
        return DataFile(folder, block, None, None)
    return None


RECORDS_FOLDER = "manifests"
"""The folder of a repo that its manifests lie in."""
REMOTE_COLUMNS = f"{RECORDS_FOLDER}/columns.json"
"""What columns all files of a repo have."""
_REMOTE_MANIFEST = re.compile(rf"{RECORDS_FOLDER}/{_BLOCK}\.csv")


def remote_manifest(block: Block) -> str:
    """The path of a manifest in its repo."""
    return f"{RECORDS_FOLDER}/{block.name}.csv"


def block_of_remote_manifest(path: str) -> Block | None:
    """The chunks whose manifest lies at this path of a repo; None if it is another file."""
    match = _REMOTE_MANIFEST.fullmatch(path)
    return _block(match) if match else None


def data_files_of(table: Table, chunk: int) -> str:
    """Pattern of the paths that the data files of one chunk alone may have in a repo, for polars."""
    key = f"{table.partition_column}={_KEY.pattern}"
    return rf"^{key}/chunk_{chunk}(?:-[0-9]{{5,}}-of-[0-9]{{5,}}(?:_[0-9]+)?)?\.parquet$"


def block_of_folder(name: str) -> Block | None:
    """The chunks whose folder of records has this name; None if it is another folder."""
    match = re.fullmatch(_BLOCK, name)
    return _block(match) if match else None
