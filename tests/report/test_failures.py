"""A failure is one paragraph: what is the same for several tables is said once, and the CLI's banner never."""

import pytest

from wikidata.errors import (
    Kind,
    ManifestError,
    PushError,
    TablesFailedError,
    UploadError,
    upload_error,
)
from wikidata.report.failures import describe

BANNER = ("\x1b[33mA few things to keep in mind:", "  - Limits still apply", "For more details, run --help.\x1b[0m")
REFUSED = "Failed to commit: (Request ID: Root=1-{id}) 403 Forbidden: No. Cannot access content at: http://hub/{table}"


def refused(table: str, identifier: int, kind: Kind = Kind.PERMANENT) -> PushError:
    words = REFUSED.format(id=identifier, table=table)
    tail = (*BANNER, "Starting upload...", *words.replace(" 403", "\n403").splitlines())
    details = (f"a/{table} lacks {identifier} of 9 files", f"log: /logs/{table}.log")
    return upload_error(kind, table, f"{table}: {words}", tail, None, details)


def test_what_the_hub_refused_is_said_in_its_words_with_the_log_and_what_to_do() -> None:
    assert describe(refused("labels", 4)) == [
        "wikidata: labels: Failed to commit: 403 Forbidden: No.",
        "    a/labels lacks 4 of 9 files",
        "    log: /logs/labels.log",
        "    next: mend that, and push again: only what is missing is sent",
    ]


def test_the_same_of_several_tables_is_said_once_and_the_rest_in_two_lines_each() -> None:
    errors = [refused("labels", 4), ManifestError("links: the file x is empty"), refused("claims", 5)]
    assert describe(TablesFailedError(errors)) == [
        "wikidata: labels, claims: Failed to commit: 403 Forbidden: No.",
        "    log: /logs/labels.log",
        "wikidata: links: the file x is empty",
    ]


def test_a_cli_that_named_no_error_is_quoted_without_banner_and_colours() -> None:
    tail = (*BANNER, "", "\x1b[1mTraceback\x1b[0m of the CLI", *(f"line {number}" for number in range(9)))
    lines = describe(UploadError("labels", "labels: the upload CLI ended with exit code 1: line 8", tail))
    assert lines[1:-1] == [f"    line {number}" for number in range(3, 9)]
    assert describe(UploadError("labels", "labels: nothing has advanced for 10 minutes", BANNER))[1:-1] == []


@pytest.mark.parametrize("tables", [1, 5, 20])
def test_no_paragraph_is_longer_than_12_lines(tables: int) -> None:
    different = [
        upload_error(Kind.TRANSIENT, "labels", f"labels: trouble {'x' * n}", ("?",) * 25, None, ("lacks", "log: /l"))
        for n in range(tables)
    ]
    lines = describe(TablesFailedError(different))
    assert 1 < len(lines) <= 12
    assert not any("\x1b" in line for line in lines)
