"""What all tests share: a clean environment, a home folder that nobody can write to, a Hub, and a box of each kind."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from localhub.auth import Identity
from localhub.testing import RunningHub
from tests.helpers.box import ROOT, Box
from tests.helpers.forking import Forks, forking
from tests.helpers.instant import Account
from tests.helpers.stock import NewBox, Stock
from wikidata.config import SETTINGS

UPLOADERS = {
    "huggingface-cli": "huggingface-cli",
    "hf1": str(ROOT / ".venv-hf1" / "bin" / "hf"),
    "hf": "hf",
    "library": "library",
}
"""What the end-to-end tests may upload with, and the `UPLOADER` of each."""
REPO_NAMES = (f"permutans/new-{number}" for number in count())
USERS = count()

_SETTINGS = (
    *(setting.name for setting in SETTINGS),
    *("CHUNK", "TABLE", "QUICK", "HF_", "HUGGING_FACE", "WIKIDATA", "MAKE", "MFLAGS"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--uploader", action="append", choices=list(UPLOADERS), help="with -m matrix: what to upload with")
    parser.addoption("--hub", choices=["local", "hfd"], default="local", help="for the tests of a Hub that is not ours")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    uploaders = metafunc.config.getoption("uploader")
    if uploaders and "uploader" in metafunc.fixturenames:
        metafunc.parametrize("uploader", uploaders, indirect=True)


@pytest.fixture
def uploader(request: pytest.FixtureRequest) -> str:
    """The `UPLOADER` of a box."""
    return UPLOADERS[getattr(request, "param", "huggingface-cli")]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the user's shell and no stored login reaches a test; writing to the home folder fails."""
    for name in list(os.environ):
        if name.startswith(_SETTINGS):
            monkeypatch.delenv(name)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").touch()
    monkeypatch.setenv("HOME", str(elsewhere / "file" / "home"))
    monkeypatch.setenv("HF_HOME", str(elsewhere / "hf-home"))


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Runs commands without the start of a program."""
    with forking(tmp_path_factory.mktemp("forks")) as running:
        yield running


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """What is made once and copied."""
    return Stock(tmp_path_factory.mktemp("stock"))


@pytest.fixture
def hub(tmp_path: Path, forks: Forks) -> Iterator[RunningHub]:
    """A Hub on localhost, empty."""
    with forks.running_hub(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def new_box(
    request: pytest.FixtureRequest, tmp_path: Path, hub: RunningHub, forks: Forks, stock: Stock, uploader: str
) -> NewBox:
    """Makes a box with a sample in it, such as `new_box(chunks={3: 1}, keys=4, rows=2)`."""
    is_instant = request.node.get_closest_marker("instant") is not None

    def make(name: str = "box", **sample: Any) -> Box:
        root = tmp_path / name
        stock.copy_sample(root, **sample)
        stock.copy_versions(root / "manifests", uploader)
        return Box(root, hub.endpoint, hub.token, {"UPLOADER": uploader}, forks, is_instant)

    return make


@pytest.fixture
def box(new_box: NewBox) -> Box:
    """Chunk 3 complete, chunk 30 caught midway, with the unpartitioned files of both beside them."""
    return new_box(chunks={3: 2, 30: 2}, keys=3, rows=2, incomplete={30}, split_keys={"en"})


@pytest.fixture
def api(hub: RunningHub) -> HfApi:
    """The Hub's own library, for what a push does not do."""
    return HfApi(endpoint=hub.endpoint, token=hub.token)


@pytest.fixture
def repo(api: HfApi) -> str:
    """A new dataset repo on the Hub."""
    name = next(REPO_NAMES)
    api.create_repo(name, repo_type="dataset")
    return name


@pytest.fixture(scope="module")
def shared_hub(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Iterator[RunningHub]:
    """A Hub on localhost for all tests of a module, in which each has an account."""
    with forks.running_hub(tmp_path_factory.mktemp("shared") / "hub") as running:
        yield running


@pytest.fixture
def account(shared_hub: RunningHub, stock: Stock, tmp_path: Path) -> Iterator[Account]:
    """A user of that Hub, whose repos no other test knows."""
    user = f"user-{next(USERS)}"
    shared_hub.add_token(f"token-of-{user}", Identity(user))
    shared_hub.reset_counts()
    yield Account(shared_hub, user, f"token-of-{user}", tmp_path, stock)
    shared_hub.clear_faults()
