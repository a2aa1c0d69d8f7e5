"""What the local Hub demands of a README.md, when it is asked and when one is committed."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi

from localhub.cards import check_card
from localhub.testing import RunningHub, running_hub
from tests.localhub.test_clients import add, ask, commit_lines

VALID = """---
license: cc0-1.0
language:
- en
- "no"
- nan
language_bcp47:
- be-tarask
pretty_name: Wikidata labels
tags:
- wikidata
size_categories:
- 1B<n<10B
task_categories:
- translation
configs:
- config_name: en
  default: true
  data_files:
  - split: train
    path: "language=en/chunk_*.parquet"
- config_name: "no"
  data_files:
  - split: train
    path:
    - "language=no/chunk_*.parquet"
- config_name: all
  data_files: "language=*/chunk_*.parquet"
dataset_info:
- config_name: en
  features:
  - name: id
    dtype: string
anything: else
---
# Wikidata labels
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


def errors_of(**metadata: Any) -> list[str]:
    return check_card(f"---\n{yaml.safe_dump(metadata)}---\n# A").errors


def config(name: object = "en", **more: object) -> dict[str, object]:
    return {"config_name": name, **more}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_valid_card(ends: str) -> None:
    assert check_card(VALID.replace("\n", ends)) == ([], [])
    assert check_card(ends + VALID.replace("cc0-1.0", "cc0")).errors


@pytest.mark.parametrize(
    "content",
    ["", "# A", "---\n---\n# A", "---\nlicense: mit\n# A", "---\nlicense: mit\n---oops\n", "a\n---\nlicense: x\n---\n"],
)
def test_a_card_without_metadata_is_warned_about(content: str) -> None:
    assert check_card(content) == ([], ["empty or missing yaml metadata in repo card"])


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("configs: [", "Invalid YAML: while parsing"),
        ("a: 1\n\tb: 2", "Invalid YAML: while scanning"),
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
        ({"license": ["mit", "CC0-1.0"]}, '"license[1]" must be one of ['),
        ({"license": 1}, '"license" must be one of ['),
        ({"language": "be-tarask"}, '"language" with value "be-tarask" is not valid. It must be an ISO 639-1'),
        ({"language": ["en", "EN"]}, '"language[1]" with value "EN" is not valid'),
        ({"language_bcp47": "zh-Hant"}, '"language_bcp47" must be an array'),
        ({"language_bcp47": [1]}, '"language_bcp47[0]" must be a string'),
        ({"size_categories": ["1000"]}, '"size_categories[0]" must be one of [unknown, n<1K, '),
        ({"tags": "wikidata"}, '"tags" must be an array'),
        ({"tags": ["a", 2]}, '"tags[1]" must be a string'),
        ({"task_categories": [{}]}, '"task_categories[0]" must be a string'),
        ({"pretty_name": 1}, '"pretty_name" must be a string'),
        ({"dataset_info": "en"}, '"dataset_info" must be of type object'),
        ({"dataset_info": [{}]}, '"dataset_info[0].config_name" is required'),
        ({"dataset_info": {"config_name": 1}}, '"dataset_info.config_name" must be a string'),
    ],
)
def test_a_field_that_is_wrong(metadata: dict[str, object], error: str) -> None:
    (message,) = errors_of(**metadata)
    assert message.startswith(error)


@pytest.mark.parametrize(
    ("configs", "error"),
    [
        ({}, '"configs" must be an array'),
        (["en"], '"configs[0]" must be of type object'),
        ([config(), {}], '"configs[1].config_name" is required'),
        ([config(), config("no"), config()], '"configs[2]" contains a duplicate value'),
        ([config(data_files=1)], '"configs[0].data_files" must be a string'),
        ([config(data_files=["a", 1])], '"configs[0].data_files[1]" must be a string'),
        ([config(data_files=[{"path": "a"}])], '"configs[0].data_files[0].split" is required'),
        ([config(data_files=[{"split": "train", "path": {}}])], '"configs[0].data_files[0].path" must be a string'),
        ([config(default="yes")], '"configs[0].default" must be a boolean'),
        ([config(default=True), config("no", default=True)], '"configs" has several defaults: en, no'),
        ([config("default"), config("no", default=True)], '"configs" has several defaults: default, no'),
    ],
)
def test_configs_that_are_wrong(configs: object, error: str) -> None:
    assert errors_of(configs=configs) == [error]


def test_every_error_is_told() -> None:
    assert len(errors_of(license="no", language=["x", "y"], configs=[config(1), config(2)])) == 5


@pytest.mark.parametrize(
    "metadata", [{"license": None}, {"configs": []}, {"language": "multilingual"}, {"dataset_info": {"features": []}}]
)
def test_what_is_allowed_though_it_looks_odd(metadata: dict[str, object]) -> None:
    assert errors_of(**metadata) == []


def test_more_configs_than_the_viewer_shows_are_warned_about() -> None:
    configs = "".join(f'- config_name: "{number}"\n' for number in range(4_001))
    errors, (warning,) = check_card(f"---\nconfigs:\n{configs}---\n")
    assert errors == []
    assert warning == '"configs" has 4001 items: the viewer shows no dataset with more than 4000'


def test_a_client_that_asks_first_is_told(api: HfApi, hub: RunningHub, repo: str) -> None:
    with pytest.raises(ValueError, match=r'Invalid metadata in README.md.\n- "license" must be one of \[apache-2.0'):
        add(api, repo, **{"README.md": b"---\nlicense: cc0\n---\n"})
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        add(api, repo, **{"README.md": b"# A"})
    add(api, repo, **{"README.md": VALID.encode()})
    assert hub.read(repo, "README.md") == VALID.encode()
    assert ask(hub, "POST", "/api/validate-yaml", json={}).status_code == 400


def test_an_invalid_card_is_not_committed_unasked_either(hub: RunningHub, repo: str) -> None:
    def commit(path: str) -> tuple[int, dict[str, Any]]:
        answer = commit_lines(hub, repo, ("file", {"path": path, "content": "---\nlicense: cc0\ntags: 1\n---\n"}))
        return answer.status_code, answer.json()

    status, body = commit("README.md")
    assert status == 400
    assert [error["message"].partition(" must")[0] for error in body["errors"]] == ['"license"', '"tags"']
    assert body["error"].startswith('"license" must be one of [')
    assert "README.md" not in hub.files(repo)
    assert commit("docs/README.md")[0] == 200


def test_a_test_can_damage_a_card_all_the_same(hub: RunningHub, repo: str) -> None:
    hub.replace_file(repo, "README.md", b"---\nconfigs: [\n---\n")
    assert hub.read(repo, "README.md").startswith(b"---\nconfigs: [")
