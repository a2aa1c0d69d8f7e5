"""How the upload CLI is started."""

import pytest

from localhub.testing import RunningHub
from tests.helpers.box import Box, wrapped
from wikidata.config import Settings
from wikidata.upload.run import workers_for


@pytest.mark.parametrize(("files", "workers"), [(1, 1), (100, 1), (101, 4), (16_500, 4)])
def test_few_files_have_one_worker_which_never_sleeps_and_many_have_four(files: int, workers: int) -> None:
    assert workers_for(files) == workers


@pytest.mark.parametrize(("wish", "given"), [("", "1"), ("3", "3")])
def test_the_cli_is_given_the_workers(box: Box, hub: RunningHub, wish: str, given: str) -> None:
    one = 'set -- "$1" "$2" "$3" --repo-type dataset --num-workers 1'  # of several, each sleeps 10 s at the end
    recorder = wrapped(box.root, f'echo "$@" >"{box.root}/called"; {one}; exec huggingface-cli "$@"')
    done = box.wikidata("push", "--chunk", "3", "--table", "labels", WORKERS=wish, UPLOADER=recorder)
    assert done.returncode == 0, done.stderr
    assert f"--num-workers {given} " in (box.root / "called").read_text()
    assert hub.counts().commits == 2  # the data, and the card


def test_no_wish_for_workers_is_none_at_all() -> None:
    assert Settings.from_environment({"WORKERS": ""}).workers is None
    assert Settings.from_environment({"WORKERS": "7"}).workers == 7
