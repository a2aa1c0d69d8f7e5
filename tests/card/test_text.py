"""The dataset card: a config for each key that YAML cannot misread, and what people wrote is kept."""

import pytest
import yaml

from wikidata.card.text import (
    BEGIN,
    END,
    CardError,
    CardFacts,
    KeyFacts,
    default_key,
    make_card,
    progress_bar,
    size_category,
)
from wikidata.config import Table

KEYS = ("en", "no", "on", "off", "yes", "null", "y", "nan", "simple", "zh-hant", "1e3")


def facts(*keys: str, table: Table = Table.LABELS, rows: int = 5, is_folded: bool = False) -> CardFacts:
    known = {key: KeyFacts(files=1, rows=rows, size_bytes=1234) for key in sorted(keys or KEYS)}
    columns = (("id", "string"), (table.partition_column, "string"), ("strange", "list<item: string>"))
    return CardFacts(table, f"permutans/wikidata-{table}", known, columns, 1, 113, 64, 9687, is_folded)


def metadata(card: str) -> dict[str, object]:
    start, header, _ = card.split("---\n", 2)
    assert start == ""
    loaded = yaml.safe_load(header)
    assert isinstance(loaded, dict)
    return loaded


def test_every_key_is_a_config_whose_name_is_a_string() -> None:
    configs = metadata(make_card(facts()))["configs"]
    assert isinstance(configs, list)
    assert [config["config_name"] for config in configs] == ["en", *sorted(set(KEYS) - {"en"})]
    assert configs[0] == {
        "config_name": "en",
        "default": True,
        "data_files": [{"split": "train", "path": "language=en/chunk_*.parquet"}],
    }
    assert sum("default" in config for config in configs) == 1


def test_metadata_says_what_the_hub_asks_for() -> None:
    loaded = metadata(make_card(facts("en", "no", "simple", "zh-hant", "be-tarask")))
    assert loaded["license"] == "cc0-1.0"
    assert loaded["pretty_name"] == "Wikidata labels"
    assert loaded["language"] == ["be", "en", "no", "zh"]
    assert loaded["language_bcp47"] == ["be-tarask", "en-simple", "zh-Hant"]
    assert loaded["size_categories"] == ["n<1K"]
    assert "wikidata" in str(loaded["tags"])


def test_there_are_at_most_4000_configs() -> None:
    configs = metadata(make_card(facts(*(f"k{number}" for number in range(5000)))))["configs"]
    assert isinstance(configs, list)
    assert len(configs) == 4000


@pytest.mark.parametrize(
    ("keys", "table", "default"),
    [
        (("de", "en"), Table.LABELS, "en"),
        (("dewiki", "enwiki", "en"), Table.LINKS, "enwiki"),
        (("de", "fr"), Table.CLAIMS, "de"),
    ],
)
def test_english_is_the_default_if_there_is_any(keys: tuple[str, ...], table: Table, default: str) -> None:
    assert default_key(facts(*keys, table=table)) == default


def test_the_key_with_most_rows_is_the_default_elsewhere() -> None:
    few = facts("de", "fr")
    many = CardFacts(**{**vars(few), "keys": {**few.keys, "fr": KeyFacts(1, 99, 1)}})
    assert default_key(many) == "fr"


@pytest.mark.parametrize(
    ("rows", "name"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**9, "1B<n<10B"), (10**12 - 1, "100B<n<1T"), (10**12, "n>1T")],
)
def test_the_size_category_is_that_of_the_row_count(rows: int, name: str) -> None:
    assert size_category(rows) == name


def test_the_text_tells_columns_coverage_and_rows_of_each_key() -> None:
    card = make_card(facts("en", "no"))
    assert "| `id` | string | the entity, such as `Q42` |" in card
    assert "| `strange` | list<item: string> |  |" in card
    assert "1 of 113 chunks are published so far, 64 of 9,687 parts: 10 rows in 2 keys" in card
    assert "| `no` | 5 | 1,234 | 1 |" in card
    assert "$" not in card
    assert "`░░░░░░░░░░░░░░░░░░░░ 0 %`" in card
    assert 'load_dataset("permutans/wikidata-labels", data_files="language=*/*.parquet", split="train")' in card
    assert 'data_files="site=*/*.parquet"' in make_card(facts("enwiki", table=Table.LINKS))
    for tool in ("load_dataset(", "pl.scan_parquet(", "SELECT count(*) FROM 'hf://", "pd.read_parquet("):
        assert tool in card


@pytest.mark.parametrize(
    ("chunks", "bar"),
    [
        (0, f"{'░' * 20} 0 %"),
        (57, f"{'█' * 10}{'░' * 10} 50 %"),
        (112, f"{'█' * 19}░ 99 %"),
        (113, f"{'█' * 20} 100 %"),
    ],
)
def test_the_bar_is_full_when_nothing_is_missing(chunks: int, bar: str) -> None:
    assert progress_bar(chunks, 113) == bar
    assert progress_bar(0, 0) == f"{'░' * 20} 0 %"


def test_the_same_facts_give_the_same_card_and_a_card_is_stable() -> None:
    card = make_card(facts())
    assert make_card(facts()) == card
    assert make_card(facts(), card) == card


def edited(card: str) -> str:
    """What a maintainer does to a card: keys of theirs, comments, and text around the generated block."""
    card = card.replace("license: cc0-1.0\n", "license: cc0-1.0\n# mine\ngated: true\nannotations:\n  - expert # yes\n")
    card = card.replace('size_categories:\n- "n<1K"\n', 'size_categories:\n- "n<1K"\n# below a list\n')
    return card.replace(BEGIN, f"Read me first.\n\n{BEGIN}").replace(END, f"{END}\n\n## Cite\n\nPlease do.")


def test_what_people_wrote_survives_and_the_generated_parts_are_replaced() -> None:
    before = edited(make_card(facts("en")))
    after = before
    for keys in (("en", "no"), ("en", "no", "fr"), ("en", "no", "fr")):
        after = make_card(facts(*keys), after)
    loaded = metadata(after)
    assert loaded["gated"] is True
    assert loaded["annotations"] == ["expert"]
    for kept in ("# mine\n", "# yes\n", "# below a list\n", "\nRead me first.\n", "\n## Cite\n\nPlease do."):
        assert after.count(kept) == 1
    assert after.count(BEGIN) == after.count(END) == 1
    assert "15 rows in 3 keys" in after
    assert "5 rows in 1 keys" not in after
    assert len(loaded["configs"]) == 3  # type: ignore[arg-type]


OURS = "viewer: false  # until all chunks are there\n"


def test_the_viewer_is_off_until_everything_is_folded() -> None:
    growing = make_card(facts("en", "no"), make_card(facts("en")))
    assert growing.count(OURS) == 1
    assert metadata(growing)["viewer"] is False
    finished = make_card(facts("en", is_folded=True), growing)
    assert "viewer" not in metadata(finished)
    assert finished == make_card(facts("en", is_folded=True))
    assert make_card(facts("en", "no"), finished) == growing  # a chunk more


@pytest.mark.parametrize(
    "theirs", ["viewer: true", "viewer: false", "viewer: true  # until all chunks are there", '"viewer": false # mine']
)
@pytest.mark.parametrize("is_folded", [False, True])
def test_what_a_person_says_of_the_viewer_is_kept(theirs: str, is_folded: bool) -> None:
    for before in (make_card(facts("en")), make_card(facts("en", is_folded=True))):
        edited = before.replace(OURS, "").replace("license:", f"{theirs}\nlicense:")
        after = make_card(facts("en", "no", is_folded=is_folded), edited)
        assert f"{theirs}\n" in after
        assert after.count("viewer") == 1
        beside_ours = make_card(facts("en", is_folded=is_folded), edited.replace("license:", f"{OURS}license:"))
        assert beside_ours.count("viewer") == 1


@pytest.mark.parametrize("before", ["# Mine\n\nBy hand.\n", "---\nlicense: mit\nmine: 1\n---\n# Mine\n\nBy hand.\n"])
def test_a_card_made_by_hand_is_kept_above_the_generated_block(before: str) -> None:
    after = make_card(facts("en"), before)
    assert after.index("# Mine") < after.index("By hand.") < after.index(BEGIN)
    assert metadata(after)["license"] == "cc0-1.0"
    assert ("mine" in metadata(after)) == ("mine" in before)
    assert make_card(facts("en"), after) == after


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        ("---\nlicense: mit\n", "no end"),
        ("---\nlicense: [mit\n---\n", "not YAML"),
        ("---\n- a list\n---\n", "not a list of keys and values"),
        ("---\n{license: mit}\n---\n", "not a list of keys and values"),
        (f"---\na: 1\n---\n{BEGIN}\n", "no end"),
        (f"---\na: 1\n---\n{END}\n", "no beginning"),
    ],
)
def test_a_damaged_card_is_not_overwritten(before: str, problem: str) -> None:
    with pytest.raises(CardError, match=problem):
        make_card(facts("en"), before)
