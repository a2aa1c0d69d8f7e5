"""The real Hub's answers, as far as they are known: each is taken for what it means, and none is asked for in vain."""

import json
import time
from dataclasses import replace

import pytest

from localhub.faults import (
    LANGUAGE_REFUSED,
    PARENT_REFUSED,
    PARQUET_REFUSED,
    STORAGE_REFUSED,
    Fault,
    RateLimit,
    RequestQuota,
)
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, Box, assert_arrived, data_commits, wrapped
from tests.helpers.stock import NewBox
from wikidata.config import Table

LABELS = Table.LABELS
REPO = REPOS[LABELS]
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")
FIRST_TIME = 1e9  # what is larger is seconds since 1970


@pytest.fixture
def box(new_box: NewBox) -> Box:
    """A chunk small enough for many pushes: one part, four keys."""
    return new_box(chunks={3: 1}, keys=4, rows=2)


def let_pass(box: Box, name: str) -> None:
    """Set back what is recorded with a time, as if a day had passed."""
    path = box.root / "manifests" / name
    content = json.loads(path.read_bytes())
    times = {key: value for key, value in content.items() if isinstance(value, float) and value > FIRST_TIME}
    path.write_text(json.dumps(content | {key: value - 2 * 86400 for key, value in times.items()}))


@pytest.mark.parametrize("request_ids", [True, False])
def test_an_account_without_storage_ends_the_tick_and_is_not_asked_again_at_once(
    new_box: NewBox, hub: RunningHub, request_ids: bool
) -> None:
    box = new_box(chunks={3: 1, 5: 1, 7: 1, 9: 1}, keys=2, rows=1)
    hub.set_style(request_ids=request_ids)
    hub.set_faults(STORAGE_REFUSED)
    tick = box.wikidata("push", QUIET="1")
    assert tick.returncode == 1
    assert "Your storage patterns tripped our internal systems!" in tick.stderr
    assert "the account needs more storage: ask for it at website@huggingface.co" in tick.stderr
    assert "HF_TOKEN" not in tick.stderr
    assert hub.counts().requests["commit"] <= 10
    assert box.steps(3) | box.steps(5) | box.steps(7) | box.steps(9) == {3}
    hub.reset_counts()
    next_tick = box.wikidata("push", QUIET="1")
    assert (next_tick.returncode, next_tick.stdout, next_tick.stderr) == (75, "", "")
    assert hub.counts().total <= 3
    by_hand = box.wikidata(*ONE_TABLE)
    assert by_hand.returncode == 75
    assert "the Hub takes no more data from this account, not before " in by_hand.stderr
    let_pass(box, ".not-before.json")
    hub.clear_faults()
    assert box.wikidata("push", QUIET="1").returncode == 0
    assert box.steps(9) == {4}
    assert not (box.root / "manifests" / ".not-before.json").exists()


@pytest.mark.matrix
@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_on_one_line_ends_the_push_at_once(box: Box, hub: RunningHub, status: int) -> None:
    hub.set_style(request_ids=False)
    hub.set_faults(Fault("commit", status=status, times=None, message="No, says the Hub."))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 1
    assert "No, says the Hub." in done.stderr
    assert len(box.logs()) == 1


@pytest.mark.instant
def test_a_gateway_that_answers_for_the_verdict_on_a_card_loses_no_card(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("validate_yaml", status=503, times=None))
    tick = box.wikidata("push", QUIET="1")
    assert tick.returncode == 75
    assert "a gateway answered in place of the Hub" in tick.stderr
    assert box.steps(3) == {3}
    hub.clear_faults()
    assert box.wikidata("push", QUIET="1").returncode == 0
    for repo in REPOS.values():
        assert "README.md" in hub.files(repo)
    assert box.steps(3) == {4}


@pytest.mark.instant
def test_a_card_that_is_refused_for_its_languages_goes_up_without_them(box: Box, hub: RunningHub) -> None:
    hub.set_faults(LANGUAGE_REFUSED)
    done = box.wikidata("push", QUIET="1")
    assert (done.returncode, box.steps(3)) == (0, {4})
    card = hub.read(REPO, "README.md").decode()
    assert "\nlanguage:" not in card
    assert "configs:\n" in card
    assert "labels: warning: the card was refused: " in done.stderr
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert [commit.title for commit in hub.commits(REPO)].count("Record chunk 3 of labels") == 1


@pytest.mark.instant
def test_a_card_that_is_refused_is_told_once_a_day_and_tried_again(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("validate_yaml", status=400, times=None, message="No."))
    told = box.wikidata("push", QUIET="1")
    assert (told.returncode, told.stdout) == (0, "")
    assert told.stderr.count("warning: the card was refused") == len(Table)
    assert box.steps(3) == {4}
    hub.reset_counts()
    silent = box.wikidata("push", QUIET="1")
    assert (silent.returncode, silent.stderr, hub.counts().total) == (0, "", 0)
    let_pass(box, ".notices.json")
    again = box.wikidata("push", QUIET="1")
    assert again.stderr.count("warning: the card was refused") == len(Table)
    let_pass(box, ".notices.json")
    hub.clear_faults()
    mended = box.wikidata("push", QUIET="1")
    assert (mended.returncode, mended.stderr) == (0, "")
    assert all("README.md" in hub.files(repo) for repo in REPOS.values())
    hub.reset_counts()
    assert box.wikidata("push", QUIET="1").returncode == 0
    assert hub.counts().total == 0


@pytest.mark.instant
def test_a_request_quota_that_is_filled_soon_is_waited_for(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("paths_info", status=429, rate_limit=RateLimit(0, 1)))
    started = time.monotonic()
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert hub.struck() == [1]
    assert time.monotonic() - started >= 1


@pytest.mark.instant
def test_a_request_quota_that_is_filled_late_ends_the_push_until_then(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("paths_info", status=429, times=None, rate_limit=RateLimit(0, 900)))
    assert box.wikidata(*ONE_TABLE).returncode == 75
    assert hub.struck() == [1]
    recorded = json.loads((box.root / "manifests" / ".not-before.json").read_bytes())
    assert recorded["not_before"] - time.time() == pytest.approx(900, abs=60)
    hub.reset_counts()
    tick = box.wikidata("push", QUIET="1")
    assert (tick.returncode, tick.stderr, hub.counts().total) == (75, "", 0)


@pytest.mark.instant
def test_whoami_is_asked_once_a_run_and_not_again_after_a_429(new_box: NewBox, hub: RunningHub) -> None:
    box = new_box(chunks={3: 1, 5: 1, 7: 1}, keys=2, rows=1)
    assert box.wikidata("push", "--table", "labels").returncode == 0
    assert hub.counts().requests["whoami"] == 1
    hub.set_request_quota(RequestQuota(10_000, window_seconds=300, whoami=0))
    hub.reset_counts()
    done = box.wikidata("push")
    assert done.returncode == 0, done.stderr
    assert hub.counts().requests["whoami"] == 1
    assert box.steps(3) | box.steps(5) | box.steps(7) == {4}


@pytest.mark.instant
@pytest.mark.parametrize("form", ["{}/", " {} "])
def test_an_endpoint_with_a_slash_or_spaces_works(box: Box, hub: RunningHub, form: str) -> None:
    done = box.wikidata(*ONE_TABLE, HF_ENDPOINT=form.format(hub.endpoint))
    assert done.returncode == 0, done.stderr
    assert_arrived(box, hub, 3, [LABELS])


@pytest.mark.instant
def test_a_server_without_error_codes_is_pushed_to(box: Box, hub: RunningHub) -> None:
    hub.set_style(error_codes=False)
    for _ in range(2):
        assert box.wikidata("push", "--chunk", "3").returncode == 0
    assert_arrived(box, hub, 3)


def test_a_recreated_repo_that_refuses_parquet_for_a_while_is_tried_again(box: Box, hub: RunningHub) -> None:
    hub.set_faults(replace(PARQUET_REFUSED, repo=REPO, times=1))
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_arrived(box, hub, 3, [LABELS])


def test_a_recreated_repo_that_always_refuses_parquet_is_explained(box: Box, hub: RunningHub) -> None:
    hub.set_faults(replace(PARQUET_REFUSED, repo=REPO, times=None))
    done = box.wikidata(*ONE_TABLE, ATTEMPTS="2")
    assert done.returncode == 75
    assert "a repo that was deleted and recreated refuses Parquet for a while" in done.stderr
    assert hub.counts().requests["commit"] <= 4


@pytest.mark.instant
def test_a_token_whose_commits_must_not_name_a_parent_records_the_chunk_and_tells_of_the_card(
    box: Box, hub: RunningHub
) -> None:
    hub.set_faults(PARENT_REFUSED)
    done = box.wikidata("push", QUIET="1", ATTEMPTS="6")
    assert done.returncode == 0, done.stderr
    assert f"labels: warning: the Hub refuses every commit to {REPO} that names its parent" in done.stderr
    assert box.steps(3) == {4}
    assert "manifests/chunk_3.csv" in hub.files(REPO)
    assert "README.md" not in hub.files(REPO)


@pytest.mark.parametrize("locale", [{"LC_ALL": "de_DE.ISO-8859-1"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C"}])
def test_a_box_without_utf_8_pushes(box: Box, hub: RunningHub, locale: dict[str, str]) -> None:
    done = replace(box, forks=None).wikidata(*ONE_TABLE, PYTHONUTF8="0", **locale)
    assert done.returncode == 0, done.stderr
    assert_arrived(box, hub, 3, [LABELS])


def test_a_cli_that_dies_twice_in_the_same_way_is_not_started_again(box: Box) -> None:
    program = wrapped(box.root, 'echo "UnicodeEncodeError: no such sign" >&2; exit 1')
    done = box.wikidata(*ONE_TABLE, UPLOADER=program, ATTEMPTS="6")
    assert done.returncode == 1
    assert "UnicodeEncodeError: no such sign" in done.stderr
    assert len(box.logs()) == 2


@pytest.mark.matrix
@pytest.mark.parametrize(
    "variable",
    [
        {"HF_HUB_ENABLE_HF_TRANSFER": "1"},
        {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
        {"HF_HUB_DISABLE_TELEMETRY": "0"},
        {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"},
    ],
    ids=lambda variable: next(iter(variable)),
)
def test_a_variable_of_the_hubs_own_tools_does_no_harm(box: Box, hub: RunningHub, variable: dict[str, str]) -> None:
    done = replace(box, forks=None).wikidata(*ONE_TABLE, **variable)
    assert done.returncode == 0, done.stderr
    assert_arrived(box, hub, 3, [LABELS])
    assert len(data_commits(hub, REPO)) == 1


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_to_be_offline_is_a_usage_error_that_names_the_variable(box: Box, hub: RunningHub, name: str) -> None:
    done = replace(box, forks=None).wikidata(*ONE_TABLE, **{name: "1"})
    assert done.returncode == 2
    assert done.stderr == f"wikidata: {name}=1 forbids all questions to the Hub: unset it\n"
    assert hub.counts().total == 0
