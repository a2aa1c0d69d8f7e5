"""What everything that talks to the Hub on behalf of a user shares, and the threads that chunks and tables run in."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import partial
from threading import Lock
from typing import TypeVar

from wikidata.config import Settings, Table, check_repo_id
from wikidata.errors import HubRefusedError, NotYetError, PushError, QuotaError, StorageRefusedError, TablesFailedError
from wikidata.hub.client import Hub
from wikidata.hub.identity import Identity
from wikidata.hub.transport import LONGEST_ANSWER_SECONDS, confined
from wikidata.names import Block
from wikidata.records.lock import hold
from wikidata.records.not_before import check_not_before, record_refusal
from wikidata.records.notices import is_news as is_news_of
from wikidata.report.listener import Listener
from wikidata.retry import RetryPolicy
from wikidata.upload import run as upload
from wikidata.upload import staging

Item = TypeVar("Item")
Result = TypeVar("Result")


class Session:
    """The settings, the repos of the chosen tables, the Hub, and who is told how it goes.

    `held` are the chunks whose `locks` it holds for a `purpose`, if any.
    """

    held: Block | None = None

    def __init__(self, settings: Settings, repos: Mapping[Table, str], listener: Listener) -> None:
        self.settings = settings
        self.repos = {Table.named(table): check_repo_id(repo_id, "target_repos") for table, repo_id in repos.items()}
        self.listener = listener
        self.retry = RetryPolicy(settings, listener.waiting)
        self.hub = Hub(self.retry)
        self._confinement = confined(min(LONGEST_ANSWER_SECONDS, settings.stall_minutes * 60))
        self._identity: list[Identity | None] = []  # empty until it was asked for
        self._asking = Lock()
        self.locks, self.purpose = ExitStack(), ""
        self.disk = Lock()
        """Held while a table is read from the disk: one after the other is faster than five at once."""

    def __enter__(self) -> "Session":
        self._confinement.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.finish()
        self._confinement.__exit__(None, None, None)

    def check_rights(self) -> None:
        """Raise HubRefusedError if there is no token, or one that may not write to all of the repos; asks once."""
        with self._asking:
            if not self._identity:
                self._identity.append(self.hub.identify())
        (identity,) = self._identity
        for table, repo_id in self.repos.items():
            if identity and (refusal := identity.refusal(repo_id)):
                raise HubRefusedError(f"{table}: {refusal}")

    def heed_refusals(self) -> None:
        """Raise NotYetError if the account may not push for now; from here on look before each attempt.

        A quota or lack of storage that an attempt meets is written down, for all who share our records.
        """
        folder = self.settings.manifest_dir
        self.retry.check, self.retry.refused = partial(check_not_before, folder), partial(record_refusal, folder)
        check_not_before(folder)

    @contextmanager
    def holding(self, block: Block, purpose: str) -> Iterator["Session"]:
        """The same session while it holds the locks of chunks, for a purpose such as `chunk 3`. Raises LockedError."""
        with ExitStack() as locks:
            locks.enter_context(hold(self.settings.manifest_dir, block.chunks, purpose))
            holder = copy(self)
            holder.held, holder.locks, holder.purpose = block, locks, purpose
            yield holder

    def widen(self, block: Block) -> None:
        """Hold the locks of these chunks, too, as long as those that are held already. Raises LockedError."""
        with self._asking:
            if self.held and not self.held.covers(block):
                others = self.others_of(block)
                self.locks.enter_context(hold(self.settings.manifest_dir, others, self.purpose))
                self.held = block

    def others_of(self, block: Block) -> list[int]:
        """The chunks of a block whose locks we do not hold."""
        return [chunk for chunk in block.chunks if not (self.held and chunk in self.held.chunks)]

    def clear_staging(self) -> None:
        """Remove what is staged of the chunks that are held, and what others left that died. Raises StagingError."""
        if self.held:
            staging.clear_all(self.settings.staging_dir, self.settings.manifest_dir, self.held)

    def taking_up(self, work: str) -> "Session":
        """The same session, for one of the works of the agenda: what it tells is told of that."""
        other = copy(self)
        other.listener = self.listener.takes_up(work)
        return other

    def warn(self, table: Table, warning: str, subject: str, repeat_seconds: float | None = None) -> None:
        """Tell a warning; in quiet runs once, or again after `repeat_seconds`. `subject` is what it is about."""
        is_news = self.settings.dry_run or is_news_of(self.settings.manifest_dir, subject, repeat_seconds)
        self.listener.warn(table, warning, is_news=is_news)

    def about(self, repos: Mapping[Table, str]) -> "Session":
        """The same session about other repos."""
        other = copy(self)
        other.repos = dict(repos)
        return other

    def for_each_table(self, work: Callable[[Table], Result]) -> dict[Table, Result]:
        """Do `work` for every table, `JOBS` at a time; all are attempted before what failed is raised."""

        def told(table: Table) -> Result:
            self.listener.begins(table)
            try:
                result = work(table)
            except BaseException as error:
                if isinstance(error, PushError):
                    error.table = table
                self.listener.ends(table, failed=True)
                raise
            self.listener.ends(table, failed=False)
            return result

        ended = dict(self.at_once(self.settings.jobs, told, self.repos))
        errors = [error for table in self.repos if isinstance(error := ended[table].exception(), PushError)]
        if any(isinstance(error, QuotaError | StorageRefusedError) for error in errors):
            errors = [error for error in errors if not isinstance(error, NotYetError)]  # which follow from that
        if len({str(error) for error in errors}) > 1:  # what is the same for all is said once
            raise TablesFailedError(errors)
        if errors:
            errors[0].table = errors[0].table if len(errors) == 1 else ""
            raise errors[0]
        return {table: ended[table].result() for table in self.repos}

    def at_once(
        self, number: int, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, "Future[Result]"]]:
        """Do `work` for all items in threads, so many at a time; yields each when it is done, or failed as expected.

        A bug or an interruption ends the others, with their uploads, and is raised.
        """
        pool = ThreadPoolExecutor(number)
        try:
            futures = {pool.submit(work, item): item for item in items}
            for future in as_completed(futures):
                if not isinstance(future.exception(), PushError | None):
                    future.result()
                yield futures[future], future
        except BaseException as error:
            self.retry.stop()
            upload.kill_all()
            # The lock is held until nobody works, but somebody who pressed Ctrl-C does not wait.
            pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
            raise
        pool.shutdown()
