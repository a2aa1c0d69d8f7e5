"""What everything that talks to the Hub on behalf of a user shares, and the threads that the tables run in."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from wikidata import upload
from wikidata.config import Settings, Table, check_repo_id
from wikidata.errors import HubError, PushError, TablesFailedError
from wikidata.hub import Hub
from wikidata.listener import Listener
from wikidata.retry import Patience

Result = TypeVar("Result")


class Session:
    """The settings, the repos of the chosen tables, the Hub, and who is told how it goes."""

    def __init__(self, settings: Settings, repos: Mapping[Table, str], listener: Listener) -> None:
        self.settings = settings
        self.repos = {Table(table): check_repo_id(repo_id, "target_repos") for table, repo_id in repos.items()}
        self.listener = listener
        self.patience = Patience(settings, listener.note)
        self.hub = Hub(self.patience)
        self.disk = Lock()
        """Held while a table is read from the disk: one after the other is faster than five at once."""

    def check_rights(self) -> None:
        """Raise HubError where there is no token, or one that may not write to all of the repos."""
        identity = self.hub.identify()
        for table, repo_id in self.repos.items():
            if refusal := identity.refusal(repo_id):
                raise HubError(f"{table}: {refusal}")

    def for_each_table(self, work: Callable[[Table], Result]) -> dict[Table, Result]:
        """Do `work` for every table, `JOBS` at a time; all are attempted before what failed is raised."""
        pool = ThreadPoolExecutor(self.settings.jobs)
        try:
            futures = {table: pool.submit(work, table) for table in self.repos}
            errors = [error for error in map(_error, futures.values()) if error is not None]
        except BaseException:
            self.patience.stop()
            upload.end_all()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        if len({str(error) for error in errors}) > 1:  # what is the same for all is said once
            raise TablesFailedError(errors)
        if errors:
            raise errors[0]
        return {table: future.result() for table, future in futures.items()}


def _error(future: "Future[Result]") -> PushError | None:
    """The expected failure of a finished table, if any; a bug is raised."""
    error = future.exception()
    if error is None or isinstance(error, PushError):
        return error
    raise error
