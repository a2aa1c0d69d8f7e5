"""Who may do what at the local Hub, in the answers that the real client gets."""

from collections.abc import Callable

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from localhub.auth import Identity, Scope
from localhub.testing import RunningHub
from tests.conftest import REPO_NAMES
from tests.localhub.asking import add, ask

ARGUMENTS = ("--org", "wiki", "--org", "library:read")


@pytest.fixture
def api_of(hub: RunningHub) -> Callable[[str | bool], HfApi]:
    hub.add_token("hf_stranger", Identity("stranger"))
    hub.add_token("hf_one_dataset", fine("dataset", "permutans/one"))
    return lambda token: HfApi(endpoint=hub.endpoint, token=token)


def fine(kind: str, name: str, permission: str = "repo.write", user: str = "wiki") -> Identity:
    return Identity(user, "fineGrained", scoped=(Scope(kind, name, (permission,)),))


@pytest.mark.parametrize(
    ("identity", "may_write", "may_create"),
    [
        (Identity("wiki"), True, True),
        (Identity("wiki", "read"), False, False),
        (Identity("me", orgs={"wiki": "write"}), True, True),
        (Identity("me", orgs={"wiki": "contributor"}), False, True),
        (Identity("me", orgs={"wiki": "read"}), False, False),
        (fine("user", "wiki"), True, True),
        (fine("user", "wiki", "repo.content.read"), False, False),
        (fine("dataset", "wiki/x"), True, False),
        (fine("dataset", "wiki/y"), False, False),
        (fine("org", "wiki", user="me"), False, False),
    ],
)
def test_who_may_write_and_create(identity: Identity, may_write: bool, may_create: bool) -> None:
    assert (identity.may_write("wiki/x"), identity.may_create("wiki")) == (may_write, may_create)
    if identity.orgs:
        assert identity.may_write("wiki/x", creator="me") == may_create  # contributors write to what they created


def test_whoami(hub: RunningHub, api_of: Callable[[str | bool], HfApi]) -> None:
    writer = api_of(hub.token).whoami()
    assert (writer["type"], writer["name"], writer["auth"]["accessToken"]["role"]) == ("user", "permutans", "write")
    assert {(org["name"], org["roleInOrg"]) for org in writer["orgs"]} == {("wiki", "admin"), ("library", "read")}
    assert api_of(hub.read_token).whoami()["auth"]["accessToken"]["role"] == "read"
    (scoped,) = api_of("hf_one_dataset").whoami()["auth"]["accessToken"]["fineGrained"]["scoped"]
    assert (scoped["entity"]["type"], scoped["entity"]["name"]) == ("dataset", "permutans/one")
    assert scoped["permissions"] == ["repo.write"]


def test_a_read_token_reads_only(hub: RunningHub, api_of: Callable[[str | bool], HfApi], repo: str) -> None:
    reader = api_of(hub.read_token)
    with pytest.raises(HfHubHTTPError, match="don't have the rights to create a dataset"):
        reader.create_repo(next(REPO_NAMES), repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="pass `create_pr=1`"):
        add(reader, repo, **{"a.parquet": b"PAR1"})
    with pytest.raises(HfHubHTTPError, match="don't have the rights to delete"):
        reader.delete_repo(repo, repo_type="dataset")
    batch = f"/datasets/{repo}.git/info/lfs/objects/batch"
    assert ask(hub, "POST", batch, token=hub.read_token).status_code == 403
    assert reader.dataset_info(repo).sha == hub.commits(repo)[0].oid


def test_a_private_repo_looks_like_a_missing_one_to_others(
    hub: RunningHub, api_of: Callable[[str | bool], HfApi]
) -> None:
    api_of(hub.token).create_repo(private := next(REPO_NAMES), repo_type="dataset", private=True)
    assert api_of(hub.read_token).dataset_info(private).private
    for name in (private, "permutans/missing"):
        for token, status in (("hf_stranger", 404), (False, 401)):
            with pytest.raises(RepositoryNotFoundError) as error:
                api_of(token).dataset_info(name)
            assert (error.value.response.status_code, bool(error.value.request_id)) == (status, True)
            assert not api_of(token).file_exists(name, ".gitattributes", repo_type="dataset")
