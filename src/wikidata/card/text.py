"""The dataset card of a repo: the README.md that tells readers what is there, and tells `datasets` how to load it.

Functions from facts to text; the text of the generated block is `card.md`. What a person wrote into a card is kept:
every other line of the YAML header, and the text around the generated block.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml

from wikidata.card.languages import languages_of
from wikidata.config import Table
from wikidata.names import DATA_FILES, key_folder

CONFIGS_AT_MOST = 4_000
"""Of a dataset, for the Hub's viewer."""
BEGIN = "<!-- generated: what stands from here to the end mark is replaced at every push -->"
END = "<!-- generated: end -->"
SOURCE = "philippesaade/wikidata"

_TEMPLATE = Path(__file__).with_name("card.md")
_NO_VIEWER = "viewer: false  # until all chunks are there"
"""The Hub's viewer computes everything again after each commit of data. By its comment this line is known as ours."""
_GENERATED_KEYS = ("configs", "language", "language_bcp47", "license", "pretty_name", "size_categories", "tags")
_BAR_CHARACTERS = 20
_SIZES = (
    *("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M"),
    *("100M<n<1B", "1B<n<10B", "10B<n<100B", "100B<n<1T"),
)


class CardError(Exception):
    """The card that is there cannot be parsed, so it is left alone."""


@dataclass(frozen=True)
class KeyFacts:
    """What manifests tell of one key: files, rows and bytes."""

    files: int = 0
    rows: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class CardFacts:
    """What a card is made from.

    `keys` are those on the Hub, sorted, with what the manifests tell of them; `columns` the columns of the table with
    their types; `chunks` and `parts` how many of the dataset's `all_chunks` and `all_parts` are published, if known.
    `is_folded` tells whether all of them are, in the files that the finished dataset has.
    """

    table: Table
    repo_id: str
    keys: Mapping[str, KeyFacts]
    columns: tuple[tuple[str, str], ...]
    chunks: int
    all_chunks: int
    parts: int | None
    all_parts: int
    is_folded: bool


def make_card(facts: CardFacts, before: str | None = None, *, with_languages: bool = True) -> str:
    """The card of a repo; what people wrote into the one `before` is kept. Raises CardError if that is damaged."""
    header, body = _split(before or "")
    kept, keys = _without_generated_keys(header)
    viewer = "" if facts.is_folded or "viewer" in keys else f"{_NO_VIEWER}\n"
    start, end = _around_block(body)
    return f"---\n{kept}{viewer}{_header(facts, with_languages)}---\n{start}{BEGIN}\n{_body(facts)}{END}{end}"


def default_key(facts: CardFacts) -> str | None:
    """The key that is loaded if none is asked for: English if there is any, else the one with the most rows."""
    if facts.table.default_key in facts.keys:
        return facts.table.default_key
    return max(sorted(facts.keys), key=lambda key: facts.keys[key].rows, default=None)


def size_category(rows: int) -> str:
    """The Hub's word for a number of rows."""
    return next((name for exponent, name in enumerate(_SIZES, start=3) if rows < 10**exponent), "n>1T")


def progress_bar(done: int, all_: int) -> str:
    """So much of a whole, in characters and percent, rounded down: only the whole is full."""
    full, percent = (done * unit // max(all_, 1) for unit in (_BAR_CHARACTERS, 100))
    return f"{'█' * full:░<{_BAR_CHARACTERS}} {percent} %"


def _header(facts: CardFacts, with_languages: bool) -> str:
    """The generated keys as YAML. Every string is quoted: `no` alone would be false."""
    languages = languages_of(facts.table, facts.keys)
    rows = sum(key.rows for key in facts.keys.values())
    lines = [f"pretty_name: {_quoted(f'Wikidata {facts.table}')}", "license: cc0-1.0"]
    if with_languages:
        lines += _list("language", languages.iso_639) + _list("language_bcp47", languages.bcp_47)
    lines += _list("tags", ["wikidata", "wikimedia", "knowledge-graph", "multilingual", str(facts.table)])
    lines += _list("size_categories", [size_category(rows)])
    lines.append("configs:" if facts.keys else "configs: []")
    default = default_key(facts)
    for name in sorted(facts.keys, key=lambda key: (key != default, key))[:CONFIGS_AT_MOST]:
        lines += _config(name, f"{key_folder(facts.table, name)}/{DATA_FILES}", is_default=name == default)
    return "".join(f"{line}\n" for line in lines)


def _config(name: str, path: str, *, is_default: bool) -> list[str]:
    lines = [f"- config_name: {_quoted(name)}"]
    if is_default:
        lines.append("  default: true")
    return [*lines, "  data_files:", "  - split: train", f"    path: {_quoted(path)}"]


def _list(name: str, values: list[str]) -> list[str]:
    return [f"{name}:", *(f"- {_quoted(value)}" for value in values)] if values else []


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a YAML string


def _body(facts: CardFacts) -> str:
    meaning = facts.table.columns
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        table=facts.table,
        content=facts.table.content,
        column=facts.table.partition_column,
        columns="".join(f"| `{name}` | {kind} | {meaning.get(name, '')} |\n" for name, kind in facts.columns),
        repo=facts.repo_id,
        key=default_key(facts) or facts.table.default_key,
        keys=f"{len(facts.keys):,}",
        rows=f"{sum(key.rows for key in facts.keys.values()):,}",
        rows_of_keys="".join(_row(name, key) for name, key in facts.keys.items()),
        chunks=f"{facts.chunks:,}",
        all_chunks=f"{facts.all_chunks:,}",
        bar=progress_bar(facts.chunks, facts.all_chunks),
        parts="" if facts.parts is None else f", {facts.parts:,} of {facts.all_parts:,} parts",
        source=SOURCE,
    )


def _row(name: str, key: KeyFacts) -> str:
    known = f"{key.rows:,} | {key.size_bytes:,} | {key.files:,}" if key.files else "? | ? | ?"
    return f"| `{name}` | {known} |\n"


def _split(card: str) -> tuple[str, str]:
    """The YAML header of a card, without its marks, and what follows."""
    text = card.replace("\r\n", "\n").removeprefix("\ufeff")
    if not text.startswith("---\n"):
        return "", text
    header, mark, body = text[4:].partition("\n---\n") if not text[4:].startswith("---\n") else ("", "---", text[8:])
    if not mark:
        raise CardError("its header has no end")
    return header + "\n" if header else "", body


def _without_generated_keys(header: str) -> tuple[str, list[object]]:
    """The lines of a header, comments and all, without those of the keys that are generated; and the keys left."""
    try:
        node = yaml.compose(header, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # 5 times as fast
    except yaml.YAMLError as error:
        raise CardError(f"its header is not YAML: {' '.join(str(error).split())[:200]}") from error
    if node is None:
        return header, []
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        raise CardError("its header is not a list of keys and values")
    lines = header.splitlines(keepends=True)
    starts = [key.start_mark.line for key, _ in node.value]
    ends = [*starts[1:], len(lines)]
    gone: set[int] = set()
    left: list[object] = []
    for (key, value), start, end in zip(node.value, starts, ends, strict=True):
        if key.value not in _GENERATED_KEYS and lines[start].rstrip() != _NO_VIEWER:
            left.append(key.value)
            continue
        last = max(min(value.end_mark.line + (value.end_mark.column > 0), end), start + 1)
        while last > start + 1 and lines[last - 1].lstrip()[:1] in ("", "#"):
            last -= 1  # what a person wrote below a list counts as its end to YAML
        gone |= set(range(start, last))
    return "".join(line for number, line in enumerate(lines) if number not in gone), left


def _around_block(body: str) -> tuple[str, str]:
    """What stands before and after the generated block; a body without one is kept before it."""
    start, begin, rest = body.partition(BEGIN)
    if not begin:
        if END in body:
            raise CardError("its generated block has an end and no beginning")
        return (f"{body.rstrip()}\n\n" if body.strip() else "\n"), "\n"
    _, end_mark, end = rest.partition(END)
    if not end_mark or BEGIN in end:
        raise CardError("its generated block has no end")
    return start, end
