"""The fixtures protect the person who runs the tests."""

import os
from pathlib import Path

import pytest


def test_the_home_folder_cannot_be_written_to() -> None:
    with pytest.raises(NotADirectoryError):
        Path.home().mkdir(parents=True)


def test_no_login_of_the_user_is_seen() -> None:
    from huggingface_hub import get_token

    assert "HF_TOKEN" not in os.environ
    assert get_token() is None or not Path(os.environ["HF_HOME"]).exists()
