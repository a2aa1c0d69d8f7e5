"""The published tables, each with everything that is particular to it: a further one is a member more."""

from collections.abc import Mapping
from enum import StrEnum

_ID = {"id": "the entity, such as `Q42`"}
_LANGUAGE = {"language": "the language, by Wikimedia's code; the key that the table is split by"}


class Table(StrEnum):
    """The published tables, each a dataset repo of its own, with everything that is particular to it.

    `partition_column` is the column by whose values, the keys, the table is split into folders; `default_key` the key
    that readers get if they ask for none; `content` a sentence for the dataset card; `columns` what each column means.
    What columns the files really have is read from them.
    """

    LABELS = (
        "labels",
        "language",
        "en",
        "The names of Wikidata's entities, in every language: one row per entity and language.",
        _ID | _LANGUAGE | {"label": "the name of the entity in that language"},
    )
    DESCRIPTIONS = (
        "descriptions",
        "language",
        "en",
        "Descriptions of Wikidata's entities, in every language: one row per entity and language.",
        _ID | _LANGUAGE | {"description": "the description in that language"},
    )
    ALIASES = (
        "aliases",
        "language",
        "en",
        "Other names of Wikidata's entities, in every language: one row per alias.",
        _ID | _LANGUAGE | {"alias": "another name in that language"},
    )
    LINKS = (
        "links",
        "site",
        "enwiki",
        "The pages of Wikimedia's sites about Wikidata's entities: one row per entity and site.",
        {
            **_ID,
            "site": "the site, such as `enwiki`; the key that the table is split by",
            "title": "the title of the page",
            "badges": "ids of the badges that the page has",
        },
    )
    CLAIMS = (
        "claims",
        "language",
        "en",
        "The statements of Wikidata: one row per statement.",
        {
            **_ID,
            **_LANGUAGE,
            "property": "the property, such as `P31`",
            "datatype": "the type of the value",
            "snaktype": "`value`, `somevalue` (unknown) or `novalue` (none)",
            "value": "the value",
            "rank": "`preferred`, `normal` or `deprecated`",
        },
    )

    partition_column: str
    default_key: str
    content: str
    columns: Mapping[str, str]

    def __new__(
        cls, name: str, partition_column: str, default_key: str, content: str, columns: Mapping[str, str]
    ) -> "Table":
        """A member is the string `name`, with the other facts as attributes."""
        table = str.__new__(cls, name)
        table._value_ = name
        table.partition_column, table.default_key = partition_column, default_key
        table.content, table.columns = content, columns
        return table

    @classmethod
    def named(cls, name: str) -> "Table":
        """The table of that name; raises ValueError if there is none."""
        return cls(name)  # type: ignore[call-arg] # a lookup, not a new member
