"""Publishing what a repo records: a chunk's manifest and the dataset card, in one commit after the data's arrival.

A manifest in its repo is the receipt of a chunk for everybody. The commit lands on top of the revision that was read
and of no other: if somebody else commits in between, everything is read and made again. The card is the lesser part: if
it is damaged there or the Hub refuses it, the manifest goes up alone, and the card is tried again later.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from wikidata.card.facts import card_facts
from wikidata.card.text import CardError, CardFacts, make_card
from wikidata.config import Table
from wikidata.dataset.footers import difference
from wikidata.dataset.layout import Scale
from wikidata.errors import (
    CardRefusedError,
    ConflictError,
    HubRefusedError,
    LayoutError,
    ManifestError,
    NotArrivedError,
)
from wikidata.names import remote_manifest
from wikidata.plan import Plan
from wikidata.records.columns import columns_of, write_columns
from wikidata.records.lock import hold_repo
from wikidata.records.manifest import Manifest
from wikidata.records.notices import DAY_SECONDS, card_subject, forget
from wikidata.repo_records import Records
from wikidata.session import Session
from wikidata.sync import sync

CARD = "README.md"
_CONFLICTS_WITHOUT_COMMIT = 2
"""Some tokens meet 412 at every commit that names its parent (#7777 of datasets): so often it is not a race."""


class Moves(NamedTuple):
    """What a commit does with data: the files that it copies, each to its path from another, and those it removes."""

    copies: Mapping[str, str]
    removed: Sequence[str]


class Replacement(NamedTuple):
    """Manifests that take the place of others, and what is to be moved with them, told for a revision."""

    before: Sequence[Manifest]
    after: Sequence[Manifest]
    moves: Callable[[str | None], Moves]


def publish(session: Session, plan: Plan, scale: Scale) -> None:
    """Record a chunk in its repo, and bring the card up to date. Raises HubError if its manifest is refused."""
    manifest, chunk = plan.manifest, plan.chunk
    columns = columns_of(plan.schema, chunk)

    def with_chunk(records: Records) -> Records:
        if records.columns and (unlike := difference(plan.schema, records.columns.schema)):
            raise ManifestError(f"{manifest.table}: chunk {chunk} {unlike} {records.columns.source}")
        layout = records.layout_beside(chunk)
        if layout not in (None, plan.layout):
            prune = f"make prune CHUNK={chunk} TABLE={manifest.table} LAYOUT={layout} YES=1"
            raise LayoutError(f"{plan.repo_id} has the layout {layout} by now: {prune}, then push again")
        if any(
            each.block != manifest.block and each.block.covers(manifest.block) for each in records.of(manifest.block)
        ):
            raise NotArrivedError(f"{manifest.table}: chunk {chunk} was folded in {plan.repo_id} meanwhile: push again")
        return records.replacing([manifest.block], [manifest], columns)

    publication = _Publication(session, manifest.table, plan.repo_id, scale, plan.folders, plan.records)
    publication.run(with_chunk, f"Record chunk {chunk} of {manifest.table}", pending=chunk)
    theirs = publication.known.columns if publication.known else None
    write_columns(session.settings.manifest_dir, manifest.table, theirs or columns)


def publish_exchange(
    session: Session,
    table: Table,
    repo_id: str,
    scale: Scale,
    records: Records,
    what: Replacement,
    message: str,
    pending: int | None,
) -> None:
    """Move data files and replace the manifests that name them, in one commit with the card.

    Raises NotArrivedError if the manifests are no longer those before, HubError if the commit is refused.
    """

    def exchanged(known: Records) -> Records:
        if _is_recorded(known, what.after):
            return known  # the commit before has landed, and its answer was lost
        if not _is_recorded(known, what.before):
            raise NotArrivedError(f"{table}: somebody else has pushed to {repo_id} meanwhile: try again")
        return known.replacing([each.block for each in what.before], what.after, known.columns)

    publication = _Publication(session, table, repo_id, scale, records.folders, records)

    def moves(known: Records, revision: str | None) -> Moves:
        has_landed = _is_recorded(known, what.after) and not _is_recorded(known, what.before)
        return Moves({}, []) if has_landed else what.moves(revision)

    publication.moves = moves
    publication.run(exchanged, message, pending)


def _is_recorded(records: Records, manifests: Iterable[Manifest]) -> bool:
    return all(records.has(remote_manifest(each.block), each.content) for each in manifests)


def publish_card(session: Session, table: Table, scale: Scale) -> None:
    """Try again a card that did not arrive, with whatever else the repo should record."""
    overview = session.hub.overview(session.repos[table])
    if overview.revision is not None:
        publication = _Publication(session, table, session.repos[table], scale, overview.key_folders)
        publication.run(lambda records: records, f"Update the card of {table}")


def preview_card(session: Session, table: Table, scale: Scale) -> str:
    """The card that a push would publish now. Raises HubRefusedError if the one there is damaged."""
    repo_id = session.repos[table]
    overview = session.hub.overview(repo_id)
    records = sync(session, table, repo_id, overview.revision, keep=False)
    before = session.hub.read(repo_id, overview.revision, CARD) if overview.revision else None
    facts = _facts(session, table, repo_id, records, scale, overview.key_folders)
    try:
        return make_card(facts, _text(before))
    except CardError as error:
        raise HubRefusedError(f"{table}: the card of {repo_id} cannot be parsed: {error}: repair it there") from error


class _Publication:
    """One commit to one repo, tried until it has landed or cannot."""

    def __init__(
        self,
        session: Session,
        table: Table,
        repo_id: str,
        scale: Scale,
        folders: Iterable[str],
        known: Records | None = None,
    ) -> None:
        self.session, self.table, self.repo_id, self.scale = session, table, repo_id, scale
        self.folders, self.known = set(folders), known
        self.moves: Callable[[Records, str | None], Moves] = lambda _known, _revision: Moves({}, [])
        self.refused_on: list[str | None] = []
        self.card_trouble = ""

    def run(self, change: Callable[[Records], Records], message: str, pending: int | None = None) -> None:
        """Commit what the repo should record after `change`, and say so if the card is not among it."""

        def in_turn() -> None:
            with hold_repo(self.session.settings.manifest_dir, self.table):
                try_once()

        def try_once() -> None:
            hub, revision = self.session.hub, self.session.hub.head(self.repo_id)
            self.known = sync(self.session, self.table, self.repo_id, revision, known=self.known, pending=pending)
            records = change(self.known)
            files = records.unpublished
            card = self._card(records, revision)
            copies, removed = self.moves(self.known, revision)
            removed = [*removed, *records.obsolete]
            if not files and not card and not copies and not removed:
                return
            try:
                self._commit(revision, message, files, card, copies, removed)
            except ConflictError:
                self.refused_on.append(revision)
                if self.refused_on.count(revision) < _CONFLICTS_WITHOUT_COMMIT:
                    raise
                self.card_trouble = f"the Hub refuses every commit to {self.repo_id} that names its parent"
                if copies or removed:  # on top of another revision, rows could be lost
                    raise HubRefusedError(f"{self.table}: {self.card_trouble}: use another token") from None
                if files:
                    hub.commit(self.repo_id, None, message, files)  # nobody else writes these files

        self.session.retry(in_turn)
        if self.card_trouble:
            self.session.warn(self.table, self.card_trouble, card_subject(self.table), DAY_SECONDS)
        else:
            forget(self.session.settings.manifest_dir, card_subject(self.table))

    def _card(self, records: Records, revision: str | None) -> list[str]:
        """The cards to try, the best one first; none if the one there need not or must not be touched."""
        self.card_trouble = ""
        before = _text(self.session.hub.read(self.repo_id, revision, CARD) if revision else None)
        facts = _facts(self.session, self.table, self.repo_id, records, self.scale, self.folders)
        try:
            wanted = [make_card(facts, before), make_card(facts, before, with_languages=False)]
        except CardError as error:
            self.card_trouble = f"the card of {self.repo_id} is left as it is: {error}: repair it there"
            return []
        return [] if before in wanted else wanted

    def _commit(
        self,
        revision: str | None,
        message: str,
        files: dict[str, bytes],
        wanted: list[str],
        copies: Mapping[str, str],
        removed: Sequence[str],
    ) -> None:
        """Commit files and card; if the Hub refuses its metadata, with fewer of them, and then without it."""
        commit = self.session.hub.commit
        for card in wanted:
            try:
                commit(self.repo_id, revision, message, {**files, CARD: card.encode()}, removed, copies)
                return
            except CardRefusedError as error:
                self.card_trouble = self.card_trouble or f"the card was refused: {error}"
        if files or removed:
            commit(self.repo_id, revision, message, files, removed, copies)


def _facts(
    session: Session, table: Table, repo_id: str, records: Records, scale: Scale, folders: Iterable[str]
) -> CardFacts:
    schema = records.columns.schema if records.columns else None
    there = {*folders, *records.folders}
    is_whole = scale.parts_of_chunk.keys() <= records.chunks
    is_folded = is_whole and (records.is_compact or session.settings.fold == 0)
    return card_facts(table, repo_id, tuple(records.manifests.values()), schema, scale, there, is_folded)


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")
