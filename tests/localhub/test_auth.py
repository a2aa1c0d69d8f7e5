"""Who may do what at the local Hub, in the answers that the real client gets."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
import requests
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from localhub.auth import Identity, Scope
from localhub.testing import RunningHub, running_hub

NAMES = (f"dataset-{number}" for number in count())
TOKENS = {
    "hf_stranger": Identity("stranger"),
    "hf_one_dataset": Identity(
        "permutans", "fineGrained", scoped=(Scope("dataset", "permutans/one", ("repo.write",)),)
    ),
    "hf_contributor": Identity("helper", orgs={"wiki": "contributor"}),
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    orgs = {"wiki": "admin", "library": "read"}
    with running_hub(tmp_path_factory.mktemp("hub"), orgs=orgs) as running:
        for token, identity in TOKENS.items():
            running.add_token(token, identity)
        yield running


@pytest.fixture
def api_of(hub: RunningHub) -> Callable[[str | bool], HfApi]:
    return lambda token: HfApi(endpoint=hub.endpoint, token=token)


def upload(api: HfApi, repo: str, path: str = "a.parquet") -> None:
    api.upload_file(path_or_fileobj=b"PAR1", path_in_repo=path, repo_id=repo, repo_type="dataset")


def status_of(error: "pytest.ExceptionInfo[HfHubHTTPError]") -> int:
    return error.value.response.status_code


def test_whoami(hub: RunningHub, api_of: Callable[[str | bool], HfApi]) -> None:
    writer = api_of(hub.token).whoami()
    assert (writer["type"], writer["name"], writer["auth"]["accessToken"]["role"]) == ("user", "permutans", "write")
    assert {(org["name"], org["roleInOrg"]) for org in writer["orgs"]} == {("wiki", "admin"), ("library", "read")}
    assert api_of(hub.read_token).whoami()["auth"]["accessToken"]["role"] == "read"
    scoped = api_of("hf_one_dataset").whoami()["auth"]["accessToken"]["fineGrained"]["scoped"]
    assert (scoped[0]["entity"]["type"], scoped[0]["entity"]["name"]) == ("dataset", "permutans/one")
    assert scoped[0]["permissions"] == ["repo.write"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Invalid username or password."),
        ({"Authorization": "Bearer hf_nobody"}, "Invalid credentials in Authorization header"),
    ],
)
def test_whoami_without_a_good_token(hub: RunningHub, headers: dict[str, str], message: str) -> None:
    answer = requests.get(f"{hub.endpoint}/api/whoami-v2", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()) == (401, {"error": message})
    assert answer.headers["x-error-message"] == message


def test_an_unknown_token_is_refused_everywhere(hub: RunningHub, api_of: Callable[[str | bool], HfApi]) -> None:
    api_of(hub.token).create_repo(name := f"permutans/{next(NAMES)}", repo_type="dataset")
    with pytest.raises(HfHubHTTPError) as refused:
        api_of("hf_nobody").dataset_info(name)
    assert status_of(refused) == 401


def test_a_read_token_reads_only(
    hub: RunningHub, api_of: Callable[[str | bool], HfApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
    name = f"permutans/{next(NAMES)}"
    with pytest.raises(HfHubHTTPError, match="don't have the rights to create a dataset") as refused:
        api_of(hub.read_token).create_repo(name, repo_type="dataset")
    assert status_of(refused) == 403
    api_of(hub.token).create_repo(name, repo_type="dataset")
    assert api_of(hub.read_token).create_repo(name, repo_type="dataset", exist_ok=True)
    with pytest.raises(HfHubHTTPError, match="pass `create_pr=1`") as refused:
        upload(api_of(hub.read_token), name)
    assert status_of(refused) == 403
    with pytest.raises(HfHubHTTPError) as refused:
        api_of(hub.read_token).delete_repo(name, repo_type="dataset")
    assert status_of(refused) == 403
    headers = {"Authorization": f"Bearer {hub.read_token}"}
    for address in (f"api/datasets/{name}/commit/main", f"datasets/{name}.git/info/lfs/objects/batch"):
        assert requests.post(f"{hub.endpoint}/{address}", headers=headers, timeout=10).status_code == 403
    assert hub.counts().of(name).commits == 0


@pytest.mark.parametrize(("namespace", "may"), [("wiki", True), ("library", False), ("strangers", False)])
def test_organisations(hub: RunningHub, api_of: Callable[[str | bool], HfApi], namespace: str, may: bool) -> None:
    name = f"{namespace}/{next(NAMES)}"
    if may:
        api_of(hub.token).create_repo(name, repo_type="dataset")
        upload(api_of(hub.token), name)
    else:
        with pytest.raises(HfHubHTTPError) as refused:
            api_of(hub.token).create_repo(name, repo_type="dataset")
        assert status_of(refused) == 403


def test_a_contributor_writes_to_what_is_its_own(hub: RunningHub, api_of: Callable[[str | bool], HfApi]) -> None:
    api_of(hub.token).create_repo(others := f"wiki/{next(NAMES)}", repo_type="dataset")
    api_of("hf_contributor").create_repo(own := f"wiki/{next(NAMES)}", repo_type="dataset")
    upload(api_of("hf_contributor"), own)
    with pytest.raises(HfHubHTTPError) as refused:
        upload(api_of("hf_contributor"), others)
    assert status_of(refused) == 403


def test_a_token_for_one_dataset_may_write_there_but_not_create(
    hub: RunningHub, api_of: Callable[[str | bool], HfApi]
) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        api_of("hf_one_dataset").create_repo("permutans/one", repo_type="dataset", exist_ok=True)
    assert status_of(refused) == 403
    api_of(hub.token).create_repo("permutans/one", repo_type="dataset")
    api_of(hub.token).create_repo("permutans/two", repo_type="dataset")
    upload(api_of("hf_one_dataset"), "permutans/one")
    with pytest.raises(HfHubHTTPError) as refused:
        upload(api_of("hf_one_dataset"), "permutans/two")
    assert status_of(refused) == 403


def test_a_private_repo_is_there_for_its_owner_only(hub: RunningHub, api_of: Callable[[str | bool], HfApi]) -> None:
    api_of(hub.token).create_repo(name := f"permutans/{next(NAMES)}", repo_type="dataset", private=True)
    assert api_of(hub.read_token).dataset_info(name).private
    for token, status in (("hf_stranger", 404), (False, 401)):
        with pytest.raises(RepositoryNotFoundError) as refused:
            api_of(token).dataset_info(name)
        assert status_of(refused) == status
        with pytest.raises(RepositoryNotFoundError):
            upload(api_of(token), name)
        assert not api_of(token).file_exists(name, ".gitattributes", repo_type="dataset")


def test_a_missing_repo_looks_like_a_private_one(hub: RunningHub, api_of: Callable[[str | bool], HfApi]) -> None:
    for token, status in ((hub.token, 404), (False, 401)):
        with pytest.raises(RepositoryNotFoundError) as refused:
            api_of(token).dataset_info("permutans/missing")
        assert status_of(refused) == status
        assert refused.value.request_id


def test_a_public_repo_is_there_for_all_but_only_to_read(
    hub: RunningHub, api_of: Callable[[str | bool], HfApi]
) -> None:
    api_of(hub.token).create_repo(name := f"permutans/{next(NAMES)}", repo_type="dataset")
    for token, status in (("hf_stranger", 403), (False, 401)):
        assert api_of(token).dataset_info(name).sha
        with pytest.raises(HfHubHTTPError) as refused:
            upload(api_of(token), name)
        assert status_of(refused) == status


def test_added_tokens_survive_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("hub")
    with running_hub(root) as hub:
        hub.add_token("hf_stranger", TOKENS["hf_stranger"])
        hub.kill()
    with running_hub(root, user="other") as hub:
        assert HfApi(endpoint=hub.endpoint, token="hf_stranger").whoami()["name"] == "stranger"
        assert HfApi(endpoint=hub.endpoint, token=hub.token).whoami()["name"] == "other"
