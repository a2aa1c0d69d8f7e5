"""What a dataset card says, from the manifests of its repo."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import polars as pl
import pyarrow as pa

from wikidata.card.text import CardFacts, KeyFacts
from wikidata.config import Table
from wikidata.dataset.layout import Scale
from wikidata.names import key_of
from wikidata.records.manifest import Manifest


def card_facts(
    table: Table,
    repo_id: str,
    manifests: Sequence[Manifest],
    schema: pa.Schema | None,
    scale: Scale,
    folders: Iterable[str],
    is_folded: bool = False,
) -> CardFacts:
    """The facts of a card: rows and bytes are those of `manifests`, keys those of the repo's `folders`.

    The caller knows whether the dataset `is_folded`, with all its chunks.

    The `scale` may lack chunks that another box has pushed; nobody knows of how many parts those are.
    """
    known = _facts_of_keys(manifests)
    chunks = {chunk for manifest in manifests for chunk in manifest.block.chunks}
    are_ours = chunks <= scale.parts_of_chunk.keys()
    keys = {key for folder in folders if (key := key_of(table, folder)) is not None}
    return CardFacts(
        table=table,
        repo_id=repo_id,
        keys={key: known[key] for key in sorted(keys)},
        columns=tuple((field.name, _word(str(field.type))) for field in schema) if schema else (),
        chunks=len(chunks),
        all_chunks=len(chunks | scale.parts_of_chunk.keys()),
        parts=sum(scale.parts_of_chunk[chunk] for chunk in chunks) if are_ours else None,
        all_parts=scale.parts,
        is_folded=is_folded,
    )


def _facts_of_keys(manifests: Sequence[Manifest]) -> defaultdict[str, KeyFacts]:
    facts: defaultdict[str, KeyFacts] = defaultdict(KeyFacts)
    if manifests:
        files = pl.concat([manifest.files.select("path", "rows", "size_bytes") for manifest in manifests])
        key = pl.col("path").str.extract(r"=([^/]+)/").alias("key")
        totals = files.group_by(key).agg(pl.len(), pl.col("rows").sum(), pl.col("size_bytes").sum())
        facts |= {name: KeyFacts(*sums) for name, *sums in totals.iter_rows()}
    return facts


def _word(arrow_type: str) -> str:
    """An Arrow type in the words that readers of the card know."""
    return arrow_type.replace("large_", "")
