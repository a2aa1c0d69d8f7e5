"""Language tags that the Hub accepts, from the codes of Wikimedia."""

import pytest

from wikidata.card.languages import bcp_47, code_of, languages_of
from wikidata.config import Table


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("en", "en"),
        ("no", "no"),
        ("zh-hant", "zh-Hant"),
        ("zh-hant-hk", "zh-Hant-HK"),
        ("pt-br", "pt-BR"),
        ("simple", "en-simple"),
        ("zh-min-nan", "nan"),
        ("als", "gsw"),
        ("be-tarask", "be-tarask"),
        ("mis-x-0001", "mis-x-0001"),
        ("de-x-at", "de-x-at"),
    ],
)
def test_a_code_of_wikimedia_becomes_a_tag(code: str, tag: str) -> None:
    assert bcp_47(code) == tag


@pytest.mark.parametrize(
    ("site", "code"),
    [
        ("enwiki", "en"),
        ("zh_min_nanwiki", "zh-min-nan"),
        ("be_x_oldwiki", "be-x-old"),
        ("dewikivoyage", "de"),
        ("frwiktionary", "fr"),
        ("commonswiki", None),
        ("specieswiki", None),
        ("wikidatawiki", None),
        ("other", None),
    ],
)
def test_a_site_tells_its_language(site: str, code: str | None) -> None:
    assert code_of(Table.LINKS, site) == code


def test_languages_are_sorted_and_none_is_there_twice() -> None:
    found = languages_of(
        Table.LINKS, ["zhwiki", "zh_yuewiki", "zh_classicalwiki", "zhwikiquote", "commonswiki", "simplewiki"]
    )
    assert found.iso_639 == ["en", "lzh", "yue", "zh"]
    assert found.bcp_47 == ["en-simple"]
    assert languages_of(Table.CLAIMS, ["mul", "zh-hant", "zh-hans"]) == (["zh"], ["zh-Hans", "zh-Hant"])
