"""Publishing the dataset card of a repo, after the data that it speaks of was confirmed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import polars as pl

from wikidata.card.text import CardError, CardFacts, KeyFacts, make_card
from wikidata.config import Table
from wikidata.dataset.layout import Scale, scale_of
from wikidata.errors import HubRefusedError
from wikidata.names import key_of
from wikidata.records.columns import read_columns
from wikidata.records.manifest import Manifest
from wikidata.records.receipt import confirmed_manifests
from wikidata.session import Session

CARD = "README.md"


def publish_card(session: Session, table: Table, scale: Scale, folders: Iterable[str]) -> None:
    """Bring the card of a table's repo up to date, in a commit of its own, where it changes.

    `folders` are those that the repo has, `language=en`. A card that cannot be parsed, or that the Hub refuses, is a
    warning: the data is there all the same. Raises HubUnavailableError where the Hub does not answer.
    """
    repo_id = session.repos[table]
    facts = card_facts(session, table, scale, folders)
    try:
        session.hub.change_text(repo_id, CARD, lambda before: make_card(facts, before), f"Update the card of {table}")
    except CardError as error:
        session.listener.warn(table, f"the card of {repo_id} is left as it is: {error}: repair it there")
    except HubRefusedError as error:
        session.listener.warn(table, f"the card was refused: {error}")


def preview_card(session: Session, table: Table, state: pl.DataFrame) -> str:
    """The card that a push would publish now. Raises HubRefusedError if the one there is damaged."""
    repo_id = session.repos[table]
    visit = session.hub.overview(repo_id)
    before = session.hub.read_text(repo_id, visit.revision, CARD) if visit.revision else None
    try:
        return make_card(card_facts(session, table, scale_of(state), visit.folders), before)
    except CardError as error:
        raise HubRefusedError(f"{table}: the card of {repo_id} cannot be parsed: {error}: repair it there") from error


def card_facts(session: Session, table: Table, scale: Scale, folders: Iterable[str]) -> CardFacts:
    """What a card says: the keys are those on the Hub, rows and bytes those of the manifests that have a receipt."""
    repo_id, manifest_dir = session.repos[table], session.settings.manifest_dir
    manifests = confirmed_manifests(manifest_dir, table, repo_id)
    known = _facts_of_keys(manifests)
    keys = {key for folder in folders if (key := key_of(table, folder)) is not None}
    columns = read_columns(manifest_dir, table, repo_id)
    return CardFacts(
        table=table,
        repo_id=repo_id,
        keys={key: known[key] for key in sorted(keys)},
        columns=tuple((field.name, _word(str(field.type))) for field in columns[0]) if columns else (),
        chunks=len(manifests),
        all_chunks=scale.chunks,
        parts=sum(scale.parts_of_chunk.get(manifest.chunk, 0) for manifest in manifests),
        all_parts=scale.parts,
    )


def _facts_of_keys(manifests: Sequence[Manifest]) -> defaultdict[str, KeyFacts]:
    facts: defaultdict[str, KeyFacts] = defaultdict(KeyFacts)
    if manifests:
        files = pl.concat([manifest.files.select("path", "rows", "size_bytes") for manifest in manifests])
        key = pl.col("path").str.extract(r"=([^/]+)/").alias("key")
        totals = files.group_by(key).agg(pl.len(), pl.col("rows").sum(), pl.col("size_bytes").sum())
        facts |= {name: KeyFacts(*figures) for name, *figures in totals.iter_rows()}
    return facts


def _word(arrow_type: str) -> str:
    """An Arrow type in the words that readers of the card know."""
    return arrow_type.replace("large_", "")
