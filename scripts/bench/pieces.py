"""Pieces of a push, and the same by the shortest means, each in a process of its own.

`python -m scripts.bench.pieces NAME` does one, in the folders of its environment, and prints its figures as JSON: so
imports are not timed, and the peak of memory is its own.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from localhub.testing import running_hub
from scripts.bench.data import CHUNK
from scripts.bench.measure import Measured, Side
from scripts.bench.workspace import Data, Workspace, environment_of, run
from scripts.peak_memory import peak_bytes
from wikidata.config import ALLOCATOR, FOLDERS, HF_USER, ROOT, Settings, Table, target_repos
from wikidata.dataset import folding, packing
from wikidata.dataset.bundles import bundles_of, sources_of
from wikidata.dataset.folding import Folded, Local
from wikidata.dataset.survey import survey
from wikidata.fold import recorded_here
from wikidata.names import Block, one, packed_file
from wikidata.plan import make_plan, pushable_chunk
from wikidata.records.manifest import SCHEMA, Manifest, write_manifest
from wikidata.report.listener import Listener
from wikidata.session import Session
from wikidata.state import get_all_state, summarize
from wikidata.upload import staging

Work = Callable[[], object]


def command(words: Sequence[str], data: Data) -> Side:
    """A command, from its start to its end."""

    def side(workspace: Workspace) -> Measured:
        environment = environment_of(workspace.shared(data), {})
        started = time.perf_counter()
        run(words, environment)
        return {"seconds": time.perf_counter() - started}

    return side


def piece(name: str, data: Data, *, with_hub: bool = False) -> Side:
    """One of PIECES, as the `wikidata` command would do it: with an empty folder to write to, and a Hub if needed."""

    def side(workspace: Workspace) -> Measured:
        pipeline = workspace.shared(data)
        settings = {each: str(pipeline / FOLDERS[each]) for each in ("STATE_DIR", "OUTPUT_DIR", "AUDIT_DIR")}
        settings |= {**ALLOCATOR, "PYTHONPATH": str(ROOT), "LAYOUT": "files"}
        with workspace.folder() as scratch, ExitStack() as stack:
            if with_hub:
                settings |= stack.enter_context(running_hub(scratch / "hub")).environment
            words = [sys.executable, "-m", "scripts.bench.pieces", name]
            measured: Measured = json.loads(run(words, environment_of(scratch, settings)))
            return measured

    return side


def plan(settings: Settings) -> Work:
    """All tables, as a push plans, records and stages them; the Hub at HF_ENDPOINT has nothing."""
    session = Session(settings, target_repos(HF_USER), Listener())

    def work() -> None:
        chunk = pushable_chunk(get_all_state(settings.state_dir), CHUNK)

        def plan_table(table: Table) -> None:
            plan = make_plan(session, chunk, table)
            write_manifest(settings.manifest_dir, plan.manifest)
            folder = staging.staging_folder(settings.staging_dir, one(CHUNK), table)
            staging.lay_out(folder, plan.manifest.folder, plan.missing["path"])

        session.for_each_table(plan_table)

    return work


def plan_barely(settings: Settings) -> Work:
    """Size, sha256 and rows of every partition file of all tables."""

    def work() -> None:
        for table in Table:
            walk = os.walk(settings.output_dir / table)
            paths = [f"{parent}/{name}" for parent, _, names in walk for name in names]
            for path in paths:
                os.stat(path)
                with open(path, "rb", buffering=0) as file:
                    hashlib.sha256(file.read()).hexdigest()
            # One scan a table: the tables have different columns.
            scan = pl.scan_parquet(paths, glob=False, hive_partitioning=False, include_file_paths="path")
            scan.group_by("path").len().collect()

    return work


def pack(settings: Settings) -> Work:
    """Every key of one table, after it was surveyed."""
    table = Table.LABELS
    parts = pushable_chunk(get_all_state(settings.state_dir), CHUNK).parts
    partitions = survey(CHUNK, parts, table, settings.output_dir, settings.audit_dir)

    def work() -> None:
        schema = partitions.schemas[0][0]  # the sample has no other
        bundles = bundles_of(partitions, schema)
        folder = staging.packed_folder(settings.staging_dir, one(CHUNK), table)
        packing.pack(bundles, partitions.folder, table, schema, folder, lambda: False)

    return work


def pack_barely(settings: Settings) -> Work:
    """All rows of one table, key by key."""
    folders = sorted((settings.output_dir / Table.LABELS).iterdir())
    return lambda: [pl.read_parquet(f"{folder}/*.parquet", hive_partitioning=False).height for folder in folders]


def fold(settings: Settings) -> Work:
    """Every key of one table of all chunks, from the partition files, as pushes have recorded them."""
    table, folder = Table.LABELS, settings.output_dir / Table.LABELS
    chunks = summarize(get_all_state(settings.state_dir)).select("chunk", "parts").rows()
    for chunk, parts in chunks:
        partitions = survey(chunk, parts, table, settings.output_dir, settings.audit_dir)
        schema = partitions.schemas[0][0]  # the sample has no other
        files = partitions.files.select(list(SCHEMA))
        write_manifest(
            settings.manifest_dir, Manifest(one(chunk), table, folder, files, sources=sources_of(partitions))
        )
    settings.staging_dir.mkdir()

    def work() -> None:
        keys: dict[str, list[Local]] = {}
        here = recorded_here(settings.manifest_dir, folder, table, schema, [chunk for chunk, _ in chunks])
        for (_, key_folder), each in here.items():
            keys.setdefault(key_folder, []).append(each)
        name = packed_file(Block(chunks[0][0], chunks[-1][0]))
        files = [Folded(f"{key_folder}/{name}", tuple(each)) for key_folder, each in keys.items()]
        folding.fold(files, table, schema, settings.staging_dir, lambda *_: Path(), lambda: False)

    return work


def fold_barely(settings: Settings) -> Work:
    """All rows of one table, key by key, scanned and written again by polars."""
    folders = sorted((settings.output_dir / Table.LABELS).iterdir())
    settings.staging_dir.mkdir()

    def work() -> None:
        for folder in folders:
            scan = pl.scan_parquet(f"{folder}/*.parquet", hive_partitioning=False)
            scan.sink_parquet(settings.staging_dir / f"{folder.name}.parquet", compression_level=3)

    return work


def state(settings: Settings) -> Work:
    """All state files."""
    return lambda: get_all_state(settings.state_dir)


def state_barely(settings: Settings) -> Work:
    """All state files, as polars reads them by itself."""
    return lambda: pl.read_ndjson(settings.state_dir / "*.jsonl")


PIECES = {
    each.__name__: each for each in (plan, plan_barely, pack, pack_barely, fold, fold_barely, state, state_barely)
}
"""Each does what is not to be timed, and returns the work."""


if __name__ == "__main__":
    do = PIECES[sys.argv[1]](Settings.from_environment())
    started = time.perf_counter()
    do()
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_bytes": peak_bytes()}))
