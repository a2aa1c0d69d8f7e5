"""Language tags as the Hub accepts them, for the codes that Wikimedia uses.

Most codes of Wikimedia are BCP-47 tags in lower case; those that are not are listed by MediaWiki's class
`LanguageCode` (mediawiki.org, Manual:Language). The Hub takes ISO 639 codes of two or three letters in `language`, and
full tags in `language_bcp47` (its documentation of dataset cards).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from wikidata.config import Table

_NONSTANDARD = {
    "als": "gsw",
    "bat-smg": "sgs",
    "be-x-old": "be-tarask",
    "cbk-zam": "cbk-x-zam",
    "de-formal": "de-x-formal",
    "eml": "egl",
    "en-rtl": "en-x-rtl",
    "es-formal": "es-x-formal",
    "fiu-vro": "vro",
    "hu-formal": "hu-x-formal",
    "map-bms": "jv-x-bms",
    "mo": "ro-Cyrl-MD",
    "nl-informal": "nl-x-informal",
    "nrm": "nrf",
    "roa-rup": "rup",
    "roa-tara": "nap-x-tara",
    "simple": "en-simple",
    "sr-ec": "sr-Cyrl",
    "sr-el": "sr-Latn",
    "zh-classical": "lzh",
    "zh-cn": "zh-Hans-CN",
    "zh-hk": "zh-Hant-HK",
    "zh-min-nan": "nan",
    "zh-mo": "zh-Hant-MO",
    "zh-my": "zh-Hans-MY",
    "zh-sg": "zh-Hans-SG",
    "zh-tw": "zh-Hant-TW",
    "zh-yue": "yue",
}
_PROJECT = re.compile(r"(.+?)wiki(?:quote|books|news|source|versity|voyage)?$|(.+)wiktionary$")
_NO_LANGUAGE = {
    *(
        "commons",
        "data",
        "foundation",
        "incubator",
        "media",
        "mediawiki",
        "meta",
        "mul",
        "sources",
        "species",
        "wikidata",
    ),
    *("wikifunctions", "wikimania", "outreach", "test", "test2", "testwikidata"),
}
_ISO_639 = re.compile(r"[a-z]{2,3}")
_SPECIAL = {"mis", "mul", "zxx"}
"""ISO 639-2 has these for uncoded, multiple and no languages; `datasets` does not list them, so the Hub may not."""


class Languages(NamedTuple):
    """The languages of a dataset: ISO 639 codes, and BCP-47 tags that say more than one of those; both sorted."""

    iso_639: list[str]
    bcp_47: list[str]


def bcp_47(code: str) -> str:
    """The BCP-47 tag of a language code of Wikimedia: `zh-hant` → `zh-Hant`, `simple` → `en-simple`."""
    if code in _NONSTANDARD:
        return _NONSTANDARD[code]
    first, *others = code.split("-")
    tag, is_private = [first], False
    for subtag in others:
        is_private = is_private or len(subtag) == 1
        if not is_private and len(subtag) == 4 and subtag.isalpha():
            tag.append(subtag.title())
        elif not is_private and len(subtag) == 2 and subtag.isalpha():
            tag.append(subtag.upper())
        else:
            tag.append(subtag)
    return "-".join(tag)


def code_of(table: Table, key: str) -> str | None:
    """The language code in a key; None if there is none, as in `commonswiki`."""
    if table.partition_column == "language":
        return key
    match = _PROJECT.fullmatch(key)
    code = (match[1] or match[2]).replace("_", "-") if match else ""
    return None if not code or code in _NO_LANGUAGE else code


def languages_of(table: Table, keys: Iterable[str]) -> Languages:
    """The languages that the keys of a table stand for."""
    tags = {bcp_47(code) for code in (code_of(table, key) for key in keys) if code}
    primary = {tag.partition("-")[0] for tag in tags}
    return Languages(
        sorted(code for code in primary - _SPECIAL if _ISO_639.fullmatch(code)),
        sorted(tag for tag in tags if "-" in tag),
    )
