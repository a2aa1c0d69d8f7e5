"""The dataset card is published after the data, where it changes; neither data nor people's words are lost."""

import threading

import pytest
import yaml

from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, Box, assert_arrived, data_commits
from tests.helpers.stock import NewBox, Stock
from wikidata.card.text import BEGIN, END
from wikidata.config import Table

pytestmark = pytest.mark.instant  # the CLI knows nothing of cards

LABELS, REPO = Table.LABELS, REPOS[Table.LABELS]
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")


@pytest.fixture
def box(new_box: NewBox, stock: Stock) -> Box:
    """Chunk 3 with four keys, and chunk 30 with six."""
    box = new_box(chunks={3: 1}, keys=4, rows=2)
    stock.copy_sample(box.root, chunks={30: 2}, keys=6, rows=2)
    return box


def card_of(hub: RunningHub, table: Table = LABELS) -> str:
    return hub.read(REPOS[table], "README.md").decode()


def configs_of(card: str) -> list[str]:
    return [config["config_name"] for config in yaml.safe_load(card.split("---\n")[1])["configs"]]


def titles(hub: RunningHub) -> list[str]:
    return [commit.title for commit in hub.commits(REPO)]


def keys_on_the_hub(hub: RunningHub, table: Table) -> set[str]:
    return {path.partition("=")[2].partition("/")[0] for path in hub.files(REPOS[table]) if "=" in path}


@pytest.mark.parametrize("layout", ["files", "packed"])
def test_each_repo_gets_a_card_with_a_config_for_each_key_as_chunks_arrive(
    box: Box, hub: RunningHub, layout: str
) -> None:
    box.settings["LAYOUT"] = layout
    for chunk in ("3", "30"):
        assert box.wikidata("push", "--chunk", chunk).returncode == 0
        for table in Table:
            configs = configs_of(card_of(hub, table))
            assert len(configs) == len(set(configs))
            assert set(configs) == keys_on_the_hub(hub, table)
        is_off = yaml.safe_load(card_of(hub).split("---\n")[1]).get("viewer") is False
        assert is_off == (chunk == "3")  # chunks 3 and 30 do not follow each other, so nothing is left to be folded
    card = card_of(hub)
    assert "2 of 2 chunks are published so far, 3 of 3 parts: 32 rows in 6 keys" in card
    assert "| `label` | string | the name of the entity in that language |" in card
    assert titles(hub)[0] == "Record chunk 30 of labels"
    assert len(data_commits(hub, REPO)) == 2


def test_a_card_that_does_not_change_is_not_committed(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    before = hub.commits(REPO)
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert hub.commits(REPO) == before


def test_what_a_maintainer_wrote_survives_three_pushes(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    card = card_of(hub).replace("license: cc0-1.0\n", "license: cc0-1.0\n# ours\ngated: false\n")
    card = card.replace(BEGIN, f"Read this first.\n\n{BEGIN}").replace(END, f"{END}\n\nCite us.")
    hub.replace_file(REPO, "README.md", card.encode())
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert box.wikidata("push", "--chunk", "30", "--table", "labels").returncode == 0
    hub.delete_file(REPO, box.files(LABELS, 3)[0].relative_to(box.root / "results" / "labels").as_posix())
    assert box.wikidata(*ONE_TABLE).returncode == 0
    after = card_of(hub)
    for kept in ("# ours\ngated: false\n", "\nRead this first.\n", "\n\nCite us."):
        assert after.count(kept) == 1
    assert "2 of 2 chunks are published so far" in after
    assert len(configs_of(after)) == 6


def test_a_damaged_card_is_left_alone_and_the_data_counts(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    hub.replace_file(REPO, "README.md", b"---\nlicense: [mit\n---\n# By hand\n")
    done = box.wikidata("push", "--chunk", "3")
    assert done.returncode == 0
    assert f"labels: warning: the card of {REPO} is left as it is: its header is not YAML" in done.stderr
    assert card_of(hub) == "---\nlicense: [mit\n---\n# By hand\n"
    assert box.steps(3) == {4}
    shown = box.wikidata("card", "--table", "labels")
    assert shown.returncode == 1
    assert "cannot be parsed: its header is not YAML" in shown.stderr


def test_a_card_that_the_hub_refuses_is_a_warning(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("validate_yaml", status=400, times=None, message="No cards here."))
    done = box.wikidata("push", "--chunk", "3")
    assert done.returncode == 0
    assert "labels: warning: the card was refused: " in done.stderr
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}
    assert "README.md" not in hub.files(REPO)
    assert "manifests/chunk_3.csv" in hub.files(REPO)


def test_a_record_that_the_hub_refuses_is_a_failure_and_nothing_is_believed(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=403, skip=1, times=None, repo=REPO, message="No records here."))
    done = box.wikidata("push", "--chunk", "3")
    assert done.returncode == 1
    assert "No records here." in done.stderr
    assert box.receipt(LABELS, 3) is None
    assert box.steps(3) == {3}
    hub.clear_faults()
    assert box.wikidata("push", "--chunk", "3").returncode == 0
    assert box.steps(3) == {4}
    assert_arrived(box, hub, 3)


def test_a_card_whose_answer_was_lost_is_found_and_not_repeated(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=504, skip=1, lands=True))
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert hub.struck() == [1]
    assert titles(hub).count("Record chunk 3 of labels") == 1


def test_a_hub_that_fails_at_the_card_is_tried_again_by_the_next_tick(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("resolve", status=503, times=None))
    done = box.wikidata("push", "--chunk", "3")
    assert done.returncode == 75
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {3}
    hub.clear_faults()
    commits = data_commits(hub, REPO)
    assert box.wikidata("push").returncode == 0
    assert box.steps(3) == {4}
    assert data_commits(hub, REPO)[-1:] == commits
    assert "en" in configs_of(card_of(hub))


def test_an_edit_that_comes_between_is_not_overwritten(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    hub.set_faults(Fault("commit", action="hang", skip=1, times=1))
    # The commit of the card is held up until the edit has landed, and then is no longer on top of the head.
    edit = threading.Thread(target=edit_when_struck, args=(hub,))
    edit.start()
    done = box.wikidata("push", "--chunk", "30", "--table", "labels", STALL_MINUTES="0.05")
    edit.join()
    assert done.returncode == 0, done.stderr
    assert "Edited meanwhile." in card_of(hub)
    assert len(configs_of(card_of(hub))) == 6


def edit_when_struck(hub: RunningHub) -> None:
    for _ in range(1200):
        if hub.struck() == [1]:
            break
        threading.Event().wait(0.05)
    hub.replace_file(REPO, "README.md", f"{card_of(hub)}\nEdited meanwhile.\n".encode())


def test_make_card_prints_what_would_be_published(box: Box, hub: RunningHub) -> None:
    none_yet = box.make("card", "TABLE=labels")
    assert none_yet.returncode == 0, none_yet.stderr
    assert configs_of(none_yet.stdout) == []
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert box.make("card", "TABLE=labels").stdout == card_of(hub)
    assert "card: of which table?" in box.make("card").stderr
