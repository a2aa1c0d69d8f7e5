"""The Hub, through huggingface_hub as a library: who we are, which repos there are, what is in them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from json import JSONDecodeError
from pathlib import Path
from threading import Lock
from typing import TypeVar

from wikidata.config import Layout
from wikidata.errors import (
    CardRefusedError,
    ConflictError,
    HubRefusedError,
    HubUnavailableError,
    ManifestError,
    NotArrivedError,
    ProgramError,
    QuotaError,
)
from wikidata.hub.files import Overview, RemoteFile, Snapshot
from wikidata.hub.identity import Identity, parse_identity
from wikidata.hub.versions import SUPPORTED, installed_version
from wikidata.names import parse_data_file
from wikidata.retry import RetryPolicy

try:
    from huggingface_hub import CommitOperationAdd as Add
    from huggingface_hub import CommitOperationCopy as Copy
    from huggingface_hub import CommitOperationDelete as Delete
    from huggingface_hub import HfApi, get_session, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
    from huggingface_hub.hf_api import RepoFile, RepoFolder
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined] # not in its own list

    from wikidata.hub.asking import Asking
    from wikidata.hub.login import check_online, stored_token
    from wikidata.hub.refusals import NoSuchQuestionError, NoSuchRepoError, is_bare
    from wikidata.hub.transport import HTTP_ERRORS
except ImportError as error:
    raise ProgramError(
        f"huggingface_hub {installed_version() or '(none)'} is installed, and this needs {SUPPORTED}: run make setup"
    ) from error

PATHS_A_REQUEST = 400
"""Paths asked for at once; the Hub answers 413 to some thousands."""

_FOLDERS_TO_TRY = 3
_FILES_TO_TRY = 1_000
"""Where to look for a file that tells the layout: the entries that one answer brings, in few folders."""

_FILES_A_PAGE = 1_000
_UNKNOWN_ADDRESS = {404, 405, 501}

_sending = Lock()

Entry = TypeVar("Entry", RepoFile, RepoFolder)


class Hub(Asking):
    """Questions to the Hub at `HF_ENDPOINT`, with the token of `HF_TOKEN` or the stored login.

    Every method raises HubRefusedError if the Hub refuses, HubUnavailableError or QuotaError if it still does not
    answer after all the attempts that `retry` allows.
    """

    def __init__(self, retry: RetryPolicy) -> None:
        super().__init__(retry)
        check_online()
        self.token = stored_token()
        self._api = HfApi(retry.settings.hf_endpoint or None, token=self.token, library_name="wikidata-push")

    def identify(self) -> Identity | None:
        """Who the token belongs to and where it may write; None if the Hub will not say that now.

        This question is rationed more strictly than all others, so a 429 is not asked again.
        """
        if not self.token:
            raise HubRefusedError(
                "there is no Hugging Face token: set HF_TOKEN, or log in once with "
                f"{Path('.venv/bin/hf')} auth login, using a token with write access"
            )

        def ask() -> Identity | None:
            try:
                return parse_identity(self._once("whoami", self._api.whoami))
            except QuotaError:
                return None

        return self._retry(ask)

    def overview(self, repo_id: str) -> Overview:
        """The head and the folders of a repo. Costs 2 requests, and 1 more for every 1,000 keys."""
        revision = self.head(repo_id)
        if revision is None:
            return Overview(None)
        return Overview(revision, self._folders(repo_id, revision))

    def layout_of(self, repo_id: str, overview: Overview) -> Layout | None:
        """The layout of the data files of a repo; None if it has none. Costs 1 request if it has any, 3 at most."""
        for folder in overview.key_folders[:_FOLDERS_TO_TRY]:
            for file in self._entries(repo_id, str(overview.revision), RepoFile, folder, at_most=_FILES_TO_TRY):
                if data := parse_data_file(file.path):
                    if not data.block.is_one:
                        raise ManifestError(f"{repo_id} has folded files and no manifests: restore manifests/ there")
                    return data.layout
        return None

    def head(self, repo_id: str) -> str | None:
        """The newest revision of the dataset repo; None if there is no such repo."""
        try:
            return self._ask(repo_id, lambda: self._head(repo_id))
        except NoSuchRepoError:
            return None

    def revisions(self, repo_id: str) -> list[str]:
        """Every revision, the newest first. Costs 1 request for every 50."""
        commits = self._ask(repo_id, lambda: self._api.list_repo_commits(repo_id, repo_type="dataset"))
        return [commit.commit_id for commit in commits]

    def look_up(self, repo_id: str, revision: str | None, paths: Sequence[str]) -> Snapshot:
        """Which of `paths` a revision has. Costs 1 request for every 400 paths.

        A server of the Hub's API may lack that question (hfd does); then the whole tree is read.
        """
        if revision is None:
            return Snapshot(None)
        files: dict[str, RemoteFile] = {}
        try:
            for start in range(0, len(paths), PATHS_A_REQUEST):
                batch = list(paths[start : start + PATHS_A_REQUEST])
                files |= self._ask(repo_id, lambda batch=batch: self._paths_info(repo_id, revision, batch))  # type: ignore[misc]
        except NoSuchQuestionError:
            wanted = set(paths)
            files = {path: file for path, file in self.files(repo_id, revision).items() if path in wanted}
        return Snapshot(revision, files)

    def files(
        self, repo_id: str, revision: str, folder: str | None = None, tell: Callable[[int], None] | None = None
    ) -> dict[str, RemoteFile]:
        """Every file of a revision, or of a folder, which may be absent. Costs 1 request for every 1,000 files.

        `tell` is called with the number of files so far, now and then.
        """
        try:
            entries = self._entries(repo_id, revision, RepoFile, folder, recursive=True, tell=tell)
        except HubUnavailableError:  # hfd answers 500 if there is no such folder
            if folder is None or folder in self._folders(repo_id, revision):
                raise
            return {}
        return {entry.path: _remote(entry) for entry in entries}

    def download(self, repo_id: str, revision: str, path: str, folder: Path) -> Path:
        """Download a file of a revision into a folder; returns where it lies."""

        def download_once() -> Path:
            return Path(
                self._api.hf_hub_download(repo_id, path, repo_type="dataset", revision=revision, local_dir=folder)
            )

        return self._ask(repo_id, download_once)

    def create(self, repo_id: str, private: bool) -> None:
        """Create a dataset repo; it is not a failure if it is there already."""
        self._ask(repo_id, lambda: self._api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True))

    def read(self, repo_id: str, revision: str, path: str) -> bytes | None:
        """The content of a file of a revision; None if there is no such file."""
        return self._ask(repo_id, lambda: self._read(repo_id, revision, path))

    def commit(
        self,
        repo_id: str,
        parent: str | None,
        message: str,
        additions: Mapping[str, bytes] | None = None,
        deletions: Iterable[str] = (),
        copies: Mapping[str, str] | None = None,
    ) -> None:
        """Add, delete and copy files in one commit; tries once, because what is right may change in between.

        `copies` has for each path that of the LFS file at the revision `parent` that it is to be a copy of.
        It lands on top of the revision `parent` and of no other: ConflictError is raised if there is a newer one, and
        CardRefusedError if the Hub refuses the metadata of a README.md. With `parent` None it lands on any.
        """
        operations: list[Add | Copy | Delete] = [
            *(Add(path, content) for path, content in (additions or {}).items()),
            *(Copy(source, path, parent) for path, source in (copies or {}).items()),
            *(Delete(path, is_folder=False) for path in deletions),
        ]

        def create_commit() -> None:
            try:
                self._api.create_commit(
                    repo_id, operations, commit_message=message, repo_type="dataset", parent_commit=parent
                )
            except JSONDecodeError:
                raise
            except HTTP_ERRORS:
                raise  # some are ValueErrors, too
            except ValueError as error:
                raise CardRefusedError(f"{repo_id}: {' '.join(str(error).split())[:300]}") from error

        try:
            self._once(repo_id, create_commit)
        except HubUnavailableError as error:
            if error.status == 412:  # "A commit has happened since"
                raise ConflictError(str(error)) from error
            raise

    def send_content(self, repo_id: str, path: str, local: Path) -> None:
        """Upload the content of one file without committing it, to learn what the Hub says to that. Tries once."""
        try:
            addition = Add(path, local)
        except ValueError as error:  # it is not a file
            raise NotArrivedError(f"{repo_id}: {local} is gone: push again") from error
        with _sending:  # the progress bars of several would share one lock, and delete it
            self._once(repo_id, lambda: self._api.preupload_lfs_files(repo_id, [addition], repo_type="dataset"))

    def _read(self, repo_id: str, revision: str, path: str) -> bytes | None:
        address = hf_hub_url(repo_id, path, repo_type="dataset", revision=revision, endpoint=self._api.endpoint)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = get_session().get(address, headers=headers)
        try:
            hf_raise_for_status(answer)
        except EntryNotFoundError:
            return None
        except HfHubHTTPError as error:
            if is_bare(error, {404}):
                return None
            raise
        return bytes(answer.content)

    def _folders(self, repo_id: str, revision: str) -> list[str]:
        folders = [each.path for each in self._entries(repo_id, revision, RepoFolder)]
        if "" in folders:  # hfd does not name them
            folders = sorted({path.partition("/")[0] for path in self.files(repo_id, revision) if "/" in path})
        return folders

    def _head(self, repo_id: str) -> str | None:
        try:
            return self._api.dataset_info(repo_id, expand=["sha"]).sha
        except HfHubHTTPError as error:
            if is_bare(error, {404}):
                raise NoSuchRepoError(f"{repo_id}: no such repo") from error
            raise

    def _paths_info(self, repo_id: str, revision: str | None, paths: list[str]) -> dict[str, RemoteFile]:
        try:
            answer = self._api.get_paths_info(repo_id, paths, revision=revision, repo_type="dataset")
        except HfHubHTTPError as error:
            if is_bare(error, _UNKNOWN_ADDRESS):
                raise NoSuchQuestionError(f"{repo_id}: this Hub has no paths-info") from error
            raise
        return {file.path: _remote(file) for file in answer if isinstance(file, RepoFile)}

    def _entries(
        self,
        repo_id: str,
        revision: str,
        kind: type[Entry],
        folder: str | None = None,
        *,
        recursive: bool = False,
        at_most: int | None = None,
        tell: Callable[[int], None] | None = None,
    ) -> list[Entry]:
        """The files, or the folders, in a folder of a repo."""

        def entries() -> list[Entry]:
            tree = self._api.list_repo_tree(
                repo_id, folder, recursive=recursive, revision=revision, repo_type="dataset"
            )
            found: list[Entry] = []
            try:
                for number, entry in enumerate(islice(tree, at_most), start=1):
                    if isinstance(entry, kind):
                        found.append(entry)
                    if tell and number % _FILES_A_PAGE == 0:
                        tell(number)
            except HfHubHTTPError as error:
                if folder is None or not (isinstance(error, EntryNotFoundError) or is_bare(error, {404})):
                    raise
            return found

        return self._ask(repo_id, entries)


def _remote(file: RepoFile) -> RemoteFile:
    return RemoteFile(file.size, file.lfs.sha256 if file.lfs else None, file.blob_id)
