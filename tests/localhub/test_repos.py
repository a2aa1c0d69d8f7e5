"""What a repo of the local Hub is made of, and what it demands of a README.md."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi
from hypothesis import given, settings
from hypothesis import strategies as st

from localhub.repos.attributes import is_lfs
from localhub.repos.cards import check_card
from localhub.repos.tree import Tree, new_lfs_file
from localhub.testing import RunningHub
from tests.localhub.asking import add, commit_lines

NAMES = st.sampled_from("abc")
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.sampled_from("012"), max_size=12)
VALID = """---
license: cc0-1.0
language: [en, "no", nan]
language_bcp47: [be-tarask]
pretty_name: Wikidata labels
size_categories: [1B<n<10B]
configs:
- config_name: en
  default: true
  data_files: [{split: train, path: "language=en/chunk_*.parquet"}]
- config_name: "no"
  data_files: [{split: train, path: ["language=no/chunk_*.parquet"]}]
- config_name: all
  data_files: "*/chunk_*.parquet"
viewer: false  # for now
---
# Labels
"""


def config(name: object = "en", **more: object) -> dict[str, object]:
    return {"config_name": name, **more}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_valid_card(ends: str) -> None:
    assert check_card(VALID.replace("\n", ends)) == ([], [])
    assert check_card(ends + VALID.replace("cc0-1.0", "cc0")).errors
    assert check_card(f"# A{VALID}") == ([], ["empty or missing yaml metadata in repo card"])


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("configs: [", "Invalid YAML: while parsing"),
        ("- a", "Invalid YAML: the metadata must be a mapping"),
        ("date: 2026-02-31", "Invalid YAML: day"),
        ("license: mit\ntags: []\nlicense: mit", "Invalid YAML: duplicated mapping key"),
        ("configs:\n- config_name: no", '"configs[0].config_name" must be a string'),
        ("language: [en, no]", '"language[1]" must be a string'),
    ],
)
def test_a_header_that_is_read_as_something_else(header: str, error: str) -> None:
    (message,) = check_card(f"---\n{header}\n---\n").errors
    assert message.startswith(error)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"license": "cc0"}, '"license" must be one of [apache-2.0, mit, '),
        ({"language": "be-tarask"}, '"language" with value "be-tarask" is not valid. It must be an ISO 639-1'),
        ({"language": ["en", "EN"]}, '"language[1]" with value "EN" is not valid'),
        ({"language_bcp47": "zh-Hant"}, '"language_bcp47" must be an array'),
        ({"size_categories": ["1000"]}, '"size_categories[0]" must be one of [unknown, n<1K, '),
        ({"viewer": "false"}, '"viewer" must be a boolean'),
        ({"configs": {}}, '"configs" must be an array'),
        ({"configs": [config(), {}]}, '"configs[1].config_name" is required'),
        ({"configs": [config(), config("no"), config()]}, '"configs[2]" contains a duplicate value'),
        ({"configs": [config(data_files=["a", 1])]}, '"configs[0].data_files[1]" must be a string'),
        ({"configs": [config(data_files=[{"path": "a"}])]}, '"configs[0].data_files[0].split" is required'),
        ({"configs": [config("default"), config("no", default=True)]}, '"configs" has several defaults: default, no'),
    ],
)
def test_a_field_that_is_wrong(metadata: dict[str, Any], error: str) -> None:
    (message,) = check_card(f"---\n{yaml.safe_dump(metadata)}---\n# A").errors
    assert message.startswith(error)


def test_a_client_that_asks_first_is_told(api: HfApi, hub: RunningHub, repo: str) -> None:
    with pytest.raises(ValueError, match=r'Invalid metadata in README.md.\n- "license" must be one of \[apache-2.0'):
        add(api, repo, **{"README.md": b"---\nlicense: cc0\n---\n"})
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        add(api, repo, **{"README.md": b"# A"})
    add(api, repo, **{"README.md": VALID.encode()})
    assert hub.read(repo, "README.md") == VALID.encode()


def test_an_invalid_card_is_not_committed_unasked_but_a_test_can_damage_one(hub: RunningHub, repo: str) -> None:
    line = {"path": "README.md", "content": "---\nlicense: cc0\ntags: 1\n---\n"}
    refused = commit_lines(hub, repo, ("file", line))
    assert refused.status_code == 400
    assert [one["message"].partition(" must")[0] for one in refused.json()["errors"]] == ['"license"', '"tags"']
    assert refused.json()["error"].startswith('"license" must be one of [')
    assert commit_lines(hub, repo, ("file", line | {"path": "docs/README.md"})).status_code == 200
    hub.replace_file(repo, "README.md", b"---\nconfigs: [\n---\n")
    assert hub.read(repo, "README.md").startswith(b"---\nconfigs: [")


@settings(max_examples=50, deadline=None)
@given(TREES, TREES)
def test_folders_are_the_same_however_the_tree_came_about(first: Mapping[str, str], last: Mapping[str, str]) -> None:
    files = [{f"{path}.parquet": new_lfs_file(digit * 64, 1) for path, digit in tree.items()} for tree in (first, last)]
    by_detour, directly = Tree(), Tree()
    by_detour.apply(files[0], 1)
    by_detour.apply({**dict.fromkeys(files[0]), **files[1]}, 2)
    directly.apply(files[1], 2)
    folders = [{path: folder.names for path, folder in tree.folders.items()} for tree in (by_detour, directly)]
    assert folders[0] == folders[1]
    assert by_detour.below("") == directly.below("") == sorted([*files[1], *folders[1]])[1:]
    assert by_detour.inside("", "", 9) == sorted(folders[1][""])


def test_what_goes_to_lfs() -> None:
    assert is_lfs("language=en/chunk_3.parquet", 10, b"text")
    assert not is_lfs("README.md", 10, b"# text")
    assert is_lfs("README.md", 11 << 20, b"# text")
    assert is_lfs("data.unknown", 10, b"\0\1")
    assert is_lfs("data.unknown", 10, b"\xff\xfe")
    assert not is_lfs("names.txt", 3, "ä".encode()[:1])
