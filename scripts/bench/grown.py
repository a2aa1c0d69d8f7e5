"""Hubs whose repos are there already: with no data files, or with those of many other chunks."""

import json
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import HfApi

from localhub.testing import RunningHub, running_hub
from scripts.bench.scale import Scale
from scripts.bench.workshop import ContestError, Workshop
from scripts.sample.keys import choose_keys
from wikidata.config import HF_USER, Layout, Table, target_repos

FIRST_CHUNK = 100
"""Number of the first of the other chunks."""
PARTS = 20
"""Parts of each of the other chunks, where they are not packed."""
FILES_A_COMMIT = 10_000
CONTENT = b"PAR1, in place of the files of another chunk, PAR1"
"""Of every file of a grown repo: a push never reads them."""


def grown_hub(workshop: Workshop, layout: Layout, *, is_grown: bool) -> Path:
    """The folder of a Hub whose repos have files of this layout, or none where not `is_grown`."""
    name = f"repos of {workshop.scale.grown_files:,} files, {layout}" if is_grown else "empty repos"
    return workshop.shared(name, lambda root: _make(root, workshop.scale, layout if is_grown else None))


def paths_of(table: Table, layout: Layout, chunks: int, keys: int) -> list[str]:
    """The paths of `chunks` × `keys` files of one layout.

    Where they are not packed, they are those of fewer chunks of PARTS parts each, so that there are as many in all.
    """
    folders = [f"{table.partition_column}={key}" for key in choose_keys(table, keys)]
    if layout is Layout.PACKED:
        names = [f"chunk_{FIRST_CHUNK + number}" for number in range(chunks)]
    else:
        numbers = (divmod(number, PARTS) for number in range(chunks))
        names = [f"chunk_{FIRST_CHUNK + chunk}-{part:05d}-of-{PARTS:05d}" for chunk, part in numbers]
    return [f"{folder}/{name}.parquet" for folder in folders for name in names]


def _make(root: Path, scale: Scale, layout: Layout | None) -> None:
    repos = target_repos(HF_USER)
    with running_hub(root) as hub:
        for table in scale.tables:
            HfApi(endpoint=hub.endpoint, token=hub.token).create_repo(repos[table], repo_type="dataset")
            if layout is not None:
                _fill(hub, repos[table], paths_of(table, layout, scale.grown_chunks, scale.grown_keys))


def _fill(hub: RunningHub, repo_id: str, paths: list[str]) -> None:
    """Commit files of equal content, which the repo receives with the first of them."""
    hub.replace_file(repo_id, paths[0], CONTENT)
    sha256 = hub.files(repo_id)[paths[0]].sha256
    for first in range(0, len(paths), FILES_A_COMMIT):
        _commit(hub, repo_id, paths[first : first + FILES_A_COMMIT], sha256)


def _commit(hub: RunningHub, repo_id: str, paths: list[str], sha256: str) -> None:
    """One commit, as `_prepare_commit_payload` of huggingface_hub writes it, without its uploads."""
    values = ({"path": path, "algo": "sha256", "size": len(CONTENT), "oid": sha256} for path in paths)
    lines = [{"key": "header", "value": {"summary": "Other chunks"}}]
    lines += [{"key": "lfsFile", "value": value} for value in values]
    body = "\n".join(map(json.dumps, lines)).encode()
    address = urlsplit(hub.endpoint)
    connection = HTTPConnection(address.hostname or "", address.port)
    try:
        headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/x-ndjson"}
        connection.request("POST", f"/api/datasets/{repo_id}/commit/main", body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ContestError(f"{repo_id} cannot be filled: {answer.status} {answer.read().decode()}")
    finally:
        connection.close()
