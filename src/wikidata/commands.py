"""What the `wikidata` command does: one function for each subcommand, which returns the exit code.

`wikidata.push`, which loads huggingface_hub, is imported only where there is something to push: a tick of cron with
nothing to do costs little more than polars.
"""

import argparse
from typing import TYPE_CHECKING

import polars as pl

from wikidata.config import Settings, Table, target_repos
from wikidata.errors import Exit, PushError, StateError, worst
from wikidata.main import report
from wikidata.manifest import file_digest, manifest_path
from wikidata.receipt import read_receipt
from wikidata.state import UNREADABLE, Step, due_chunks, get_all_state, summarize

if TYPE_CHECKING:
    from wikidata.push import Pusher
    from wikidata.terminal import Terminal


def push(options: argparse.Namespace) -> Exit:
    """Push one chunk, or every due one, lowest first; each is attempted, and the worst exit code wins."""
    settings = Settings.from_environment()
    chunks = [options.chunk] if options.chunk is not None else due_chunks(get_all_state(settings.state_dir))
    if not chunks:
        return Exit.OK
    pusher, terminal = _pusher(options, settings)
    codes = []
    for chunk in chunks:
        try:
            if options.dry_run or settings.dry_run:
                _print_preview(pusher, chunk)
            else:
                pusher.push(chunk)
        except PushError as error:
            terminal.finish()
            codes.append(report(error))
    return worst(codes)


def verify(options: argparse.Namespace) -> Exit:
    """Compare the Hub with the written manifests of a chunk, or of every chunk that has receipts."""
    settings = Settings.from_environment()
    pusher, _ = _pusher(options, settings)
    chunks = [options.chunk] if options.chunk is not None else _recorded_chunks(settings)
    codes = []
    for chunk in chunks:
        try:
            for table, (manifest, missing) in pusher.verify(chunk).items():
                where = f"chunk {chunk} {table}: {manifest.files.height} files in {pusher.repos[table]}"
                codes.append(Exit.FAILED if missing.height else Exit.OK)
                if missing.height:
                    lack = f"{missing.height} are missing or different, such as {missing['path'][0]}"
                    print(f"{where}: {lack}: run make push CHUNK={chunk} TABLE={table}")
                else:
                    print(f"{where}: all there")
        except PushError as error:
            codes.append(report(error))
    return worst(codes)


def status(options: argparse.Namespace) -> Exit:
    """Print a line for each chunk, and totals."""
    from wikidata.terminal import table_of

    settings = Settings.from_environment()
    summary = summarize(get_all_state(settings.state_dir))
    if options.chunk is not None:
        summary = summary.filter(pl.col("chunk") == options.chunk)
    if summary.is_empty():
        which = "state files" if options.chunk is None else f"state files of chunk {options.chunk}"
        raise StateError(f"state: there are no {which} in {settings.state_dir}: is STATE_DIR right?")
    rows, tables = [], 0
    for chunk in summary.iter_rows(named=True):
        pushed = [table for table in Table if _is_recorded(settings, chunk["chunk"], table)]
        tables += len(pushed)
        parts = f"{chunk['files']} of {chunk['parts'] or 'contradictory'}"
        rows.append((str(chunk["chunk"]), parts, _steps(chunk), _word(chunk), ", ".join(pushed) or "-"))
    print(table_of(rows, ("chunk", "parts", "steps", "state", "tables on the Hub")))
    pushed_chunks = summary.filter(pl.col("complete") & ~pl.col("due")).height
    print(
        f"total: {summary.height} chunks, {summary['files'].sum()} parts; {int(summary['complete'].sum())} complete, "
        f"{int(summary['due'].sum())} to push, {pushed_chunks} pushed; {tables} tables on the Hub"
    )
    return Exit.OK


def _pusher(options: argparse.Namespace, settings: Settings) -> "tuple[Pusher, Terminal]":
    from wikidata.push import Pusher
    from wikidata.terminal import Terminal

    repos = target_repos(settings.hf_user)
    chosen = {options.table: repos[options.table]} if options.table else repos
    terminal = Terminal(quiet=settings.quiet or getattr(options, "quiet", False))
    return Pusher(settings, chosen, terminal), terminal


def _print_preview(pusher: "Pusher", chunk: int) -> None:
    from wikidata.terminal import readable_bytes, table_of

    rows = [
        (
            str(chunk),
            table.value,
            plan.manifest.files.height,
            plan.missing.height,
            readable_bytes(int(plan.missing["size_bytes"].sum())),
            plan.repo_id + ("" if plan.look.revision else " (to be created)"),
        )
        for table, plan in pusher.preview(chunk).items()
    ]
    print(table_of(rows, ("chunk", "table", "files", "to upload", "bytes", "repo")))


def _recorded_chunks(settings: Settings) -> list[int]:
    folders = settings.manifest_dir.glob("chunk_*")
    return sorted(int(folder.name.removeprefix("chunk_")) for folder in folders if any(folder.glob("*.receipt.json")))


def _is_recorded(settings: Settings, chunk: int, table: Table) -> bool:
    receipt = read_receipt(settings.manifest_dir, chunk, table)
    digest = file_digest(manifest_path(settings.manifest_dir, chunk, table))
    return receipt is not None and receipt.manifest_sha256 == digest


def _steps(chunk: dict[str, int]) -> str:
    """The lowest and the highest step of a chunk's files."""
    low, high = (
        "unreadable" if step == UNREADABLE else Step(step).name for step in (chunk["min_step"], chunk["max_step"])
    )
    return low if low == high else f"{low} to {high}"


def _word(chunk: dict[str, object]) -> str:
    if chunk["due"]:
        return "to push"
    return "pushed" if chunk["complete"] else "incomplete"
