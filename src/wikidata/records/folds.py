"""Which blocks of chunks are to be folded, as the state and our records tell, without asking the Hub.

A block of `FOLD` consecutive chunks is due if all of them are pushed. If every chunk of the dataset is, they are folded
once more, all together.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from wikidata.config import Table
from wikidata.names import Block, one, runs
from wikidata.records.manifest import is_packed
from wikidata.records.receipt import blocks_here
from wikidata.state import Step, summarize


def due_folds(state: pl.DataFrame, manifest_dir: Path, table: Table, fold: int) -> list[Block]:
    """The blocks of a table that are to be folded, lowest first; `state` is the frame of `get_all_state`."""
    here = blocks_here(manifest_dir, table)
    return [block for block in _wanted(state, fold) if _is_due(block, here, manifest_dir, table)]


def is_folded(block: Block, recorded: Iterable[Block]) -> bool:
    """Whether of these recorded blocks one alone has chunks of a block, and all of them."""
    inside = [each for each in recorded if each.meets(block)]
    return len(inside) == 1 and inside[0].covers(block)


def _wanted(state: pl.DataFrame, fold: int) -> list[Block]:
    if fold == 0:
        return []
    chunks = summarize(state).select("chunk", is_pushed=pl.col("complete") & (pl.col("min_step") >= Step.PUSH))
    pushed = set(chunks.filter("is_pushed")["chunk"])
    blocks = [Block(first, first + fold - 1) for first in range(0, max(pushed, default=0) + 1, fold)]
    if len(pushed) == chunks.height:
        blocks = runs(pushed)
    return [block for block in blocks if not block.is_one and pushed.issuperset(block.chunks)]


def _is_due(block: Block, here: Iterable[Block], manifest_dir: Path, table: Table) -> bool:
    """Not if it is folded, lies across blocks that are, or its files are not packed; yes if nothing is known of it."""
    inside = [each for each in here if each.meets(block)]
    if is_folded(block, inside) or not all(block.covers(each) for each in inside):
        return False
    return all(is_packed(manifest_dir, each, table) for each in inside[:1])


def folded_chunks(manifest_dir: Path, table: Table) -> set[int]:
    """The chunks that our records have in a larger block, and no longer by themselves."""
    here = blocks_here(manifest_dir, table)
    chunks = {chunk for block in here if not block.is_one for chunk in block.chunks}
    return {chunk for chunk in chunks if one(chunk) not in here}
