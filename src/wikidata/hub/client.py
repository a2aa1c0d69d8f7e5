"""The Hub, through huggingface_hub as a library: who we are, which repos there are, what is in them."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import polars as pl

from wikidata.config import Layout
from wikidata.errors import HubRefusedError, ProgramError, QuotaError, UsageError
from wikidata.hub.identity import Identity, parse_identity
from wikidata.hub.refusals import explain
from wikidata.hub.versions import SUPPORTED, installed_version
from wikidata.names import is_key_folder, parse_data_file
from wikidata.records.manifest import Manifest
from wikidata.retry import RetryPolicy

try:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session, get_token, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError
    from huggingface_hub.hf_api import RepoFile, RepoFolder
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined] # not in its own list

    from wikidata.hub.transport import HTTP_ERRORS
except ImportError as error:
    raise ProgramError(
        f"huggingface_hub {installed_version() or '(none)'} is installed, and this needs {SUPPORTED}: run make setup"
    ) from error

LONGEST_ANSWER_SECONDS = 60.0
"""How long to wait for the Hub to connect, and for each part of an answer."""
PATHS_A_REQUEST = 400
"""Paths asked for at once; the Hub answers 413 to some thousands."""

_FOLDERS_TO_TRY = 3
_FILES_TO_TRY = 1_000
"""Where to look for a file that tells the layout: the entries that one answer brings, in few folders."""

_UNKNOWN_ADDRESS = {404, 405, 501}
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_TRUE = {"1", "ON", "YES", "TRUE"}
"""As huggingface_hub reads them (`constants.py`)."""

Answer = TypeVar("Answer")
Entry = TypeVar("Entry", RepoFile, RepoFolder)


class RemoteFile(NamedTuple):
    """A file on the Hub: `sha256` of its content where it is stored as LFS or Xet, else its git `blob_id` (sha1)."""

    size_bytes: int
    sha256: str | None
    blob_id: str


@dataclass(frozen=True)
class Snapshot:
    """What one revision of a repo has of the paths asked for; `revision` is None where there is no repo."""

    revision: str | None
    files: Mapping[str, RemoteFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Overview:
    """The head of a repo, its folders (`language=en`), and the layout of the files in them, where there are any."""

    revision: str | None
    folders: Sequence[str] = ()
    layout: Layout | None = None


class Hub:
    """Questions to the Hub at `HF_ENDPOINT`, with the token of `HF_TOKEN` or the stored login.

    Every method raises HubRefusedError where the Hub refuses, HubUnavailableError or QuotaError where it went on not
    answering after all the tries that `patience` allows.
    """

    def __init__(self, retry: RetryPolicy) -> None:
        if offline := [name for name in _OFFLINE if os.environ.get(name, "").upper() in _TRUE]:
            raise UsageError(f"{offline[0]}={os.environ[offline[0]]} forbids all questions to the Hub: unset it")
        self.token = _stored_token()
        self._api = HfApi(retry.settings.hf_endpoint or None, token=self.token, library_name="wikidata-push")
        self._retry = retry

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
        """What kind of repo this is. Costs 3 requests, and 1 more for every 1,000 keys, however many files it has."""
        revision = self.head(repo_id)
        if revision is None:
            return Overview(None)
        folders = [each.path for each in self._entries(repo_id, revision, RepoFolder) if is_key_folder(each.path)]
        for folder in folders[:_FOLDERS_TO_TRY]:
            for file in self._entries(repo_id, revision, RepoFile, folder, at_most=_FILES_TO_TRY):
                if data := parse_data_file(file.path):
                    return Overview(revision, folders, data.layout)
        return Overview(revision, folders)

    def head(self, repo_id: str) -> str | None:
        """The newest revision of the dataset repo; None where there is no such repo."""
        try:
            return self._ask(repo_id, lambda: self._head(repo_id))
        except _NoSuchRepoError:
            return None

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
        except _NoSuchQuestionError:
            wanted = set(paths)
            tree = self._entries(repo_id, revision, RepoFile, recursive=True)
            files = {file.path: _remote(file) for file in tree if file.path in wanted}
        return Snapshot(revision, files)

    def files_of_chunk(self, repo_id: str, revision: str | None, chunk: int) -> list[str]:
        """Every file of a chunk that a revision has, in either layout. Costs 1 request for every 1,000 files there."""
        if revision is None:
            return []
        files = self._entries(repo_id, revision, RepoFile, recursive=True)
        return sorted(file.path for file in files if (data := parse_data_file(file.path)) and data.chunk == chunk)

    def delete(self, repo_id: str, paths: Sequence[str], parent: str | None, message: str) -> None:
        """Delete `paths` in one commit on top of the revision `parent`, and of no other."""
        operations = [CommitOperationDelete(path_in_repo=path, is_folder=False) for path in paths]
        self._ask(
            repo_id,
            lambda: self._api.create_commit(
                repo_id, operations, commit_message=message, repo_type="dataset", parent_commit=parent
            ),
        )

    def create(self, repo_id: str, private: bool) -> None:
        """Create a dataset repo; it is no failure where it is there already."""
        self._ask(repo_id, lambda: self._api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True))

    def read_text(self, repo_id: str, revision: str, path: str) -> str | None:
        """The text of a file of a revision; None if there is no such file."""
        return self._ask(repo_id, lambda: self._read_text(repo_id, revision, path))

    def change_text(self, repo_id: str, path: str, change: Callable[[str | None], str], message: str) -> None:
        """Replace a file's text by what `change` makes of it, in one commit; none where that is the same.

        Nobody else's commit is overwritten: where one came between, the text is read and changed again.
        """

        def change_once() -> None:
            revision = self._api.dataset_info(repo_id, expand=["sha"]).sha
            before = self._read_text(repo_id, revision, path)
            after = change(before)
            if after == before:
                return
            operations = [CommitOperationAdd(path, after.encode())]
            try:
                self._api.create_commit(
                    repo_id, operations, commit_message=message, repo_type="dataset", parent_commit=revision
                )
            except ValueError as error:  # invalid metadata in a card
                raise HubRefusedError(f"{repo_id}: {' '.join(str(error).split())[:300]}") from error

        self._ask(repo_id, change_once)

    def _read_text(self, repo_id: str, revision: str | None, path: str) -> str | None:
        address = hf_hub_url(repo_id, path, repo_type="dataset", revision=revision, endpoint=self._api.endpoint)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = get_session().get(address, headers=headers)
        try:
            hf_raise_for_status(answer)
        except EntryNotFoundError:
            return None
        except HfHubHTTPError as error:
            if _is_bare(error, {404}):
                return None
            raise
        return answer.content.decode(errors="replace")

    def send_content(self, repo_id: str, path: str, local: Path) -> None:
        """Upload the content of one file without committing it, to learn what the Hub says to that. Tries once."""
        addition = CommitOperationAdd(path, local)
        self._once(repo_id, lambda: self._api.preupload_lfs_files(repo_id, [addition], repo_type="dataset"))

    def _head(self, repo_id: str) -> str | None:
        try:
            return self._api.dataset_info(repo_id, expand=["sha"]).sha
        except HfHubHTTPError as error:
            if _is_bare(error, {404}):
                raise _NoSuchRepoError(f"{repo_id}: no such repo") from error
            raise

    def _paths_info(self, repo_id: str, revision: str | None, paths: list[str]) -> dict[str, RemoteFile]:
        try:
            answer = self._api.get_paths_info(repo_id, paths, revision=revision, repo_type="dataset")
        except HfHubHTTPError as error:
            if _is_bare(error, _UNKNOWN_ADDRESS):
                raise _NoSuchQuestionError(f"{repo_id}: this Hub has no paths-info") from error
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
    ) -> list[Entry]:
        """The files, or the folders, in a folder of a repo."""

        def entries() -> list[Entry]:
            tree = self._api.list_repo_tree(
                repo_id, folder, recursive=recursive, revision=revision, repo_type="dataset"
            )
            return [entry for entry in islice(tree, at_most) if isinstance(entry, kind)]

        return self._ask(repo_id, entries)

    def _ask(self, subject: str, question: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer or none is to be expected; errors name the `subject`."""

        return self._retry(lambda: self._once(subject, question))

    def _once(self, subject: str, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except RepositoryNotFoundError as error:
            raise _NoSuchRepoError(f"{subject}: no such repo, or not for this token") from error
        except HTTP_ERRORS as error:
            raise explain(subject, error) from error
        except RuntimeError as error:  # of an upload of content
            if not isinstance(error.__cause__, HTTP_ERRORS):
                raise
            raise explain(subject, error.__cause__) from error


class _NoSuchRepoError(HubRefusedError):
    """To this token there is no such repo; a look answers that with a Snapshot at nothing."""


class _NoSuchQuestionError(HubRefusedError):
    """This server does not know the address of the question."""


def _is_bare(error: HfHubHTTPError, statuses: Set[int]) -> bool:
    """Whether an answer has one of `statuses`, and not the `X-Error-Code` by which the Hub says what was not found.

    Other servers of its API (hfd) send none, and huggingface_hub raises no special error then.
    """
    return type(error) is HfHubHTTPError and error.response.status_code in statuses


def _remote(file: RepoFile) -> RemoteFile:
    return RemoteFile(file.size, file.lfs.sha256 if file.lfs else None, file.blob_id)


def lacking(manifest: Manifest, remote: Mapping[str, RemoteFile]) -> pl.DataFrame:
    """The rows of `manifest.files` that the Hub lacks, or has with another size or content."""
    there = [
        path in remote and _is_same(manifest.folder / path, size_bytes, sha256, remote[path])
        for path, size_bytes, sha256 in manifest.files.select("path", "size_bytes", "sha256").iter_rows()
    ]
    return manifest.files.filter(~pl.Series(there, dtype=pl.Boolean))


def _is_same(local: Path, size_bytes: int, sha256: str, remote: RemoteFile) -> bool:
    if remote.size_bytes != size_bytes:
        return False
    if remote.sha256 is not None:
        return remote.sha256 == sha256
    return remote.blob_id == _git_blob_id(local, size_bytes)


def _git_blob_id(local: Path, size_bytes: int) -> str | None:
    """The name that git gives to a file's content; the Hub stores small files of some kinds as plain git blobs."""
    digest = hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)
    try:
        digest.update(local.read_bytes())
    except OSError:
        return None
    return digest.hexdigest()


def _stored_token() -> str | None:
    try:
        return get_token()
    except OSError as error:
        raise HubRefusedError(f"cannot read the stored login, {error.filename}: {error.strerror}: mend it") from error
