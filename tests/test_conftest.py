"""The fixtures protect the person who runs the tests."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.box import Box


def test_the_home_folder_cannot_be_written_to() -> None:
    with pytest.raises(NotADirectoryError):
        Path.home().mkdir(parents=True)


def test_no_login_of_the_user_is_seen() -> None:
    from huggingface_hub import get_token

    assert "HF_TOKEN" not in os.environ
    assert get_token() is None or not Path(os.environ["HF_HOME"]).exists()


@pytest.mark.parametrize(
    "words", [("status",), ("push", "--chunk", "30"), ("push", "--chunk", "3", "--dry-run"), ("x",)]
)
def test_a_command_in_a_fork_ends_and_speaks_as_one_that_was_started(box: Box, words: tuple[str, ...]) -> None:
    box.settings["JOBS"] = "1"
    forked, started = box.wikidata(*words), replace(box, forks=None).wikidata(*words)
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)
