"""Asking a local Hub, by the real client and by hand."""

import hashlib
import json
from typing import Any

import requests
from huggingface_hub import CommitOperationAdd, HfApi

from localhub.testing import RunningHub

SMALL = b"PAR1 some content PAR1"
SMALL_SHA256 = hashlib.sha256(SMALL).hexdigest()
HELLO_BLOB_ID = "ce013625030ba8dba906f756967f9e9ca394464a"
"""What `git hash-object` says of b"hello\\n"."""


def add(api: HfApi, repo: str, **files: bytes) -> str:
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    return str(api.create_commit(repo, operations, commit_message="Add", repo_type="dataset").oid)


def tree(api: HfApi, repo: str, **options: Any) -> list[str]:
    return [entry.path for entry in api.list_repo_tree(repo, repo_type="dataset", **options)]


def ask(hub: RunningHub, method: str, address: str, token: str | None = None, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token or hub.token}", **options.pop("headers", {})}
    return requests.request(method, f"{hub.endpoint}{address}", headers=headers, timeout=30, **options)


def commit_lines(hub: RunningHub, repo: str, *lines: tuple[str, dict[str, Any]]) -> requests.Response:
    everything = [("header", {"summary": "by hand"}), *lines]
    body = "\n".join(json.dumps({"key": key, "value": value}) for key, value in everything)
    return ask(hub, "POST", f"/api/datasets/{repo}/commit/main", data=body)


def pointers(*paths: str) -> list[tuple[str, dict[str, Any]]]:
    return [("lfsFile", {"path": path, "algo": "sha256", "oid": SMALL_SHA256, "size": len(SMALL)}) for path in paths]


def upload_actions(hub: RunningHub, repo: str, content: bytes) -> dict[str, Any]:
    asked = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    body = {"operation": "upload", "transfers": ["basic", "multipart"], "objects": [asked]}
    answer = ask(hub, "POST", f"/datasets/{repo}.git/info/lfs/objects/batch", json=body)
    return dict(answer.json()["objects"][0].get("actions", {}))
