"""How much everything is measured with, and data for it: chunks, state files alone, large keys, Hubs with files."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import NamedTuple

import polars as pl
from huggingface_hub import CommitOperationAdd, HfApi

from localhub.testing import running_hub
from scripts.sample.build import write_sample
from scripts.sample.keys import choose_keys
from scripts.sample.source_files import RESULTS, STATE
from scripts.sample.write import make_folders, write_state
from wikidata.config import HF_USER, Layout, Table, target_repos
from wikidata.names import Source, one, remote_manifest
from wikidata.state import Step

CHUNK = 3
ROWS = 5
CHUNKS_TO_FOLD = 16
MOST_PARTS = 86
LETTERS_BYTES_A_ROW, WORDS_BYTES_A_ROW = 180, 18.7
"""Those that rows of random letters, or of words, take in a partition file."""
LARGE_KEYS = ("de", "en", "es", "fr")

WORDS_A_ROW = 5

OTHER_CHUNK, OTHER_PARTS = 100, 20
"""The first of the other chunks that a Hub has files of, and the parts of each, if they are not packed."""
FILES_A_COMMIT = 10_000
CONTENT = b"PAR1, in place of the files of another chunk, PAR1"
"""Of every file of another chunk: a push never reads them."""


_RowsOf = Callable[[int, int], pl.DataFrame]
"""Rows from a number on, and so many."""


class Size(NamedTuple):
    """A chunk: the files of each of its tables are parts × keys."""

    parts: int
    keys: int

    def of(self, tables: tuple[Table, ...]) -> str:
        """The files of some tables in words: 5 × 1,000 files."""
        return f"{len(tables)} × {self.parts * self.keys:,} files"


class Scale(NamedTuple):
    """The sizes of everything: the real numbers, or tiny ones which prove that the benchmark works.

    `others` are the other chunks and keys that a repo has files of, `state_files` all state files together, `key_bytes`
    the size of the large key's sources, in `key_parts` files, and that of all LARGE_KEYS together.
    """

    tables: tuple[Table, ...]
    small: Size
    large: Size
    huge: Size
    others: Size
    state_files: int
    key_bytes: int
    key_parts: int


FULL = Scale(tuple(Table), Size(4, 10), Size(20, 50), Size(86, 500), Size(112, 500), 9687, 1 << 30, 8)
# The CLI sleeps for 10 s in every run of the specification's loop, so one table has to do.
QUICK = Scale((Table.LABELS,), Size(2, 2), Size(3, 3), Size(3, 4), Size(10, 20), 200, 4 << 20, 2)


def write_chunk(root: Path, size: Size) -> None:
    """Write a complete chunk as the pipeline leaves it."""
    write_sample(root, chunks={CHUNK: size.parts}, keys=size.keys, rows=ROWS, process_files=False)


def chunks_to_fold(root: Path, scale: Scale) -> None:
    """Write chunks that are folded together, of many small files."""
    size = scale.large
    chunks = dict.fromkeys(range(CHUNKS_TO_FOLD), size.parts)
    write_sample(root, chunks=chunks, keys=size.keys, rows=1000, process_files=False)


def chunks_of_a_key(root: Path, scale: Scale) -> None:
    """Write the same number of chunks with one key of `labels`, which are 1/256 of the large key each."""
    _write_chunks_of_a_key(root, _letters, -(-(scale.key_bytes >> 8) // LETTERS_BYTES_A_ROW))


def chunks_of_a_large_key(root: Path, scale: Scale) -> None:
    """Write the same number of chunks with one key, which have the size of the large key together."""
    _write_chunks_of_a_key(root, _letters, -(-scale.key_bytes // CHUNKS_TO_FOLD // LETTERS_BYTES_A_ROW))


def chunks_of_words(root: Path, scale: Scale) -> None:
    """Write the same number of chunks with one key of words, which have a quarter of that size together."""
    _write_chunks_of_a_key(root, _words, int(scale.key_bytes / 4 / CHUNKS_TO_FOLD / WORDS_BYTES_A_ROW))


def _write_chunks_of_a_key(root: Path, rows_of: _RowsOf, rows: int) -> None:
    make_folders(root)
    for chunk in range(CHUNKS_TO_FOLD):
        file = Source(chunk, 0, 1)
        path = root / RESULTS / Table.LABELS / "language=en" / f"{file.stem}.parquet"
        rows_of(chunk * rows, rows).write_parquet(path, mkdir=True)
        write_state(root, file, Step.PARTITION)


def huge_chunk(root: Path, scale: Scale) -> None:
    """Write a chunk with very many small files."""
    write_chunk(root, scale.huge)


def pushed_states(root: Path, scale: Scale) -> None:
    """Write all state files at PUSH, in chunks of 86 parts at most, and nothing else."""
    (root / STATE).mkdir(parents=True)
    files, chunks = scale.state_files, -(-scale.state_files // MOST_PARTS)
    for chunk in range(chunks):
        parts = files // chunks + (chunk < files % chunks)
        for part in range(parts):
            write_state(root, Source(chunk, part, parts), Step.PUSH)


def large_key(root: Path, scale: Scale) -> None:
    """Write a chunk with one key of `labels`, whose files have the size asked for and hardly more, compressed."""
    _write_large(root, scale, [(Table.LABELS, "en")], scale.key_bytes)


def large_key_of_words(root: Path, scale: Scale) -> None:
    """Write the same with words, as compressible as those of real labels, and of a quarter of the size."""
    rows = int(scale.key_bytes / 4 / scale.key_parts / WORDS_BYTES_A_ROW)
    _write_rows(root, scale, [(Table.LABELS, "en")], _words, rows)


def large_keys(root: Path, scale: Scale) -> None:
    """Write the same with several keys, which together have the size of the one."""
    _write_large(root, scale, [(Table.LABELS, key) for key in LARGE_KEYS], scale.key_bytes // len(LARGE_KEYS))


def heavy_chunk(root: Path, scale: Scale) -> None:
    """Write a chunk with one such key in every table."""
    keys = [(table, choose_keys(table, 1)[0]) for table in scale.tables]
    _write_large(root, scale, keys, scale.key_bytes // len(LARGE_KEYS))


def _write_large(root: Path, scale: Scale, keys: Sequence[tuple[Table, str]], size_bytes: int) -> None:
    _write_rows(root, scale, keys, _letters, -(-size_bytes // scale.key_parts // LETTERS_BYTES_A_ROW))


def _write_rows(root: Path, scale: Scale, keys: Sequence[tuple[Table, str]], rows_of: _RowsOf, rows: int) -> None:
    """Write keys of a number of rows in each part, the same every time. There are no sidecars."""
    make_folders(root)
    for part in range(scale.key_parts):
        file = Source(CHUNK, part, scale.key_parts)
        for number, (table, key) in enumerate(keys):
            labels = rows_of((part * len(keys) + number) * rows, rows)
            path = root / RESULTS / table / f"{table.partition_column}={key}" / f"{file.stem}.parquet"
            texts = labels.with_columns(pl.lit(key).alias(table.partition_column))
            texts.write_parquet(path, row_group_size=100_000, mkdir=True)
        write_state(root, file, Step.PARTITION)


def hub_with_files(root: Path, scale: Scale, layout: Layout | None) -> None:
    """Write the folder of a Hub whose repos have files of other chunks in this layout, or no data if that is None.

    If they are packed, each repo has the manifests of these chunks, too.
    """
    with running_hub(root) as hub:
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        for table in scale.tables:
            repo = target_repos(HF_USER)[table]
            api.create_repo(repo, repo_type="dataset")
            if layout is None:
                continue
            files = [CommitOperationAdd(path, CONTENT) for path in other_paths(table, layout, scale.others)]
            if layout is Layout.PACKED:
                files += manifests_of([each.path_in_repo for each in files])
            # The content is sent with the first file alone.
            for first, last in pairwise([0, *range(1, len(files), FILES_A_COMMIT), len(files)]):
                api.create_commit(repo, files[first:last], commit_message="Other chunks", repo_type="dataset")


def other_paths(table: Table, layout: Layout, others: Size) -> list[str]:
    """As many paths as there are other chunks × keys; of fewer chunks with several parts each, if not packed."""
    numbers = range(others.parts)
    names = [f"chunk_{OTHER_CHUNK + number}" for number in numbers]
    if layout is Layout.FILES:
        whole = (divmod(number, OTHER_PARTS) for number in numbers)
        names = [Source(OTHER_CHUNK + chunk, part, OTHER_PARTS).stem for chunk, part in whole]
    keys = choose_keys(table, others.keys)
    return [f"{table.partition_column}={key}/{name}.parquet" for key in keys for name in names]


def manifests_of(paths: Iterable[str]) -> list[CommitOperationAdd]:
    """The manifests of packed files, all with the same content."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    frame = pl.DataFrame({"path": sorted(paths)}).select(
        "path",
        size_bytes=pl.lit(len(CONTENT)),
        sha256=pl.lit(digest),
        rows=pl.lit(ROWS),
        sources_sha256=pl.lit(digest),
        chunk=pl.col("path").str.extract(r"chunk_([0-9]+)").cast(pl.Int64),
    )
    chunks = frame.partition_by("chunk", as_dict=True, include_key=False)
    return [
        CommitOperationAdd(remote_manifest(one(int(chunk))), files.write_csv().encode())
        for (chunk,), files in chunks.items()
    ]


def _letters(first: int, rows: int) -> pl.DataFrame:
    """Rows of `labels` whose texts are random letters."""
    random = Random(first)  # noqa: S311 - nothing here is a secret
    # base64 makes four letters of three bytes, and Parquet's compression three bytes of four letters.
    texts = [b64encode(random.randbytes(LETTERS_BYTES_A_ROW)).decode() for _ in range(rows)]
    ids = pl.format("Q{}", pl.int_range(first + 1, first + rows + 1))
    return pl.DataFrame({"label": texts}).select(id=ids, language=pl.lit("en"), label="label")


def _words(first: int, rows: int) -> pl.DataFrame:
    """Rows of `labels` whose texts are a few words each, some of them frequent, most rare; ids have gaps."""
    random = Random(0)  # noqa: S311 - nothing here is a secret
    known = [random.choices(ascii_lowercase, range(26, 0, -1), k=random.randrange(2, 11)) for _ in range(20_000)]
    words = pl.Series(map("".join, known))
    drawn = pl.int_range(first * WORDS_A_ROW, (first + rows) * WORDS_A_ROW, eager=True).hash(seed=1) / 2**64
    texts = words.gather((drawn**3 * len(words)).cast(pl.UInt32)).reshape((rows, WORDS_A_ROW)).arr.join(" ")
    number = pl.int_range(first, first + rows)
    ids = pl.format("Q{}", number * 7 + number.hash(seed=2) % 7)
    return pl.DataFrame({"label": texts}).select(id=ids, language=pl.lit("en"), label="label")
