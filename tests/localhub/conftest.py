"""One local Hub for each module, which behaves again before each test."""

from collections.abc import Iterator

import pytest

from localhub.testing import RunningHub, running_hub


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """With the flags that the module names as ARGUMENTS."""
    with running_hub(tmp_path_factory.mktemp("hub"), arguments=getattr(request.module, "ARGUMENTS", ())) as running:
        yield running


@pytest.fixture
def hub(server: RunningHub) -> RunningHub:
    server.clear_faults()
    server.reset_counts()
    return server
