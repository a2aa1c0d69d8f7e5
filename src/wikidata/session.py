"""What everything that talks to the Hub on behalf of a user shares, and the threads that the tables run in."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from threading import Lock
from typing import TypeVar

from wikidata.config import Settings, Table, check_repo_id
from wikidata.errors import HubRefusedError, PushError, TablesFailedError
from wikidata.hub.client import Hub
from wikidata.hub.identity import Identity
from wikidata.hub.transport import LONGEST_ANSWER_SECONDS, confined
from wikidata.records.notices import is_news as is_news_of
from wikidata.report.listener import Listener
from wikidata.retry import RetryPolicy
from wikidata.upload import run as upload

Result = TypeVar("Result")


class Session:
    """The settings, the repos of the chosen tables, the Hub, and who is told how it goes."""

    def __init__(self, settings: Settings, repos: Mapping[Table, str], listener: Listener) -> None:
        self.settings = settings
        self.repos = {Table.named(table): check_repo_id(repo_id, "target_repos") for table, repo_id in repos.items()}
        self.listener = listener
        self.retry = RetryPolicy(settings, listener.waiting)
        self.hub = Hub(self.retry)
        self._confinement = confined(min(LONGEST_ANSWER_SECONDS, settings.stall_minutes * 60))
        self._identity: Identity | None = None
        self._is_identified = False
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
        if not self._is_identified:
            self._identity, self._is_identified = self.hub.identify(), True
        if self._identity is None:
            return
        for table, repo_id in self.repos.items():
            if refusal := self._identity.refusal(repo_id):
                raise HubRefusedError(f"{table}: {refusal}")

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

        pool = ThreadPoolExecutor(self.settings.jobs)
        try:
            futures = {table: pool.submit(told, table) for table in self.repos}
            errors = [error for error in map(_error, futures.values()) if error is not None]
        except BaseException as error:
            self.retry.stop()
            upload.kill_all()
            # The lock is held until nobody works, but somebody who pressed Ctrl-C does not wait.
            pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
            raise
        pool.shutdown()
        if len({str(error) for error in errors}) > 1:  # what is the same for all is said once
            raise TablesFailedError(errors)
        if errors:
            errors[0].table = errors[0].table if len(errors) == 1 else ""
            raise errors[0]
        return {table: future.result() for table, future in futures.items()}


def _error(future: "Future[Result]") -> PushError | None:
    """The expected failure of a finished table, if any; a bug is raised."""
    error = future.exception()
    if error is None or isinstance(error, PushError):
        return error
    raise error
