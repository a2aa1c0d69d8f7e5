#!/usr/bin/env python3
"""Write what the pipeline leaves before a push: state, partition files, unpartitioned files and sidecars."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from scripts.sample.build import DEFAULT_KEYS, DEFAULT_ROWS, Sample, write_sample
from scripts.sample.errors import SampleError

__all__ = ["Sample", "SampleError", "main", "write_sample"]

DEFAULT_PARTS = 4

_T = TypeVar("_T")

_EPILOG = """
ROOT gets state/, results/ and audit/. What is there already and equal stays as it is, and so do state files at a later
step, so that the same command can be typed again, also after a push; a chunk made with --incomplete is completed by
the same command without it. Where ROOT has other data of these chunks, nothing is written (exit code 2) unless --force
is given. Other chunks and other files are never touched.

Rows of the built-in set repeat a few well-known entities of Wikidata, described in our own words; ids beyond those
are made up (in chunk 3, a copy of Q42 is Q3000000042). Keys that are no lower-case codes are left out and reported on
stderr.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse `arguments`, write the sample, and print one line about it; return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        _check_combination(given)
        sample = write_sample(
            given.root,
            _parts_of_chunks(given.chunks, given.parts),
            keys=given.keys,
            rows=DEFAULT_ROWS if given.rows is None else given.rows,
            incomplete=_flatten(given.incomplete),
            split_keys=_flatten(given.split),
            entities=given.entities,
            seed=given.seed or 0,
            sidecars=given.sidecars,
            process_files=given.process_files,
            force=given.force,
        )
    except SampleError as error:
        parser.error(str(error))
    except OSError as error:
        print(f"{parser.prog}: {error.filename or given.root}: {error.strerror}", file=sys.stderr)
        return 1
    for (table, key), rows in sorted(sample.invalid_keys.items()):
        print(f"{parser.prog}: {table}: {key!r} is no valid key: its {rows} rows are left out", file=sys.stderr)
    print(_summary(sample, given.chunks))
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m scripts.sample",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("root", metavar="ROOT", type=Path, help="the folder to write to; made where it is not there")
    add("--chunks", metavar="C,…", type=_numbers, required=True, help="the chunks to make, such as 3,30")
    add("--parts", metavar="N", default=f"{DEFAULT_PARTS}", help="parts of each: 4, or 3=4,30=2 (default %(default)s)")
    add("--keys", metavar="N", type=_number, help=f"keys of each table (default {DEFAULT_KEYS}; with FILE, all it has)")
    add("--rows", metavar="N", type=_number, help=f"rows of each key in each part (default {DEFAULT_ROWS})")
    add("--seed", metavar="N", type=_number, help="another order of the built-in entities (default 0)")
    add("--entities", metavar="FILE", type=Path, help="rows from Wikibase JSON lines, plain or .gz, in their order")
    add("--incomplete", metavar="C,…", type=_numbers, action="append", help="chunks whose last part is at PROCESS")
    add("--split", metavar="KEY,…", type=_words, action="append", help="keys with a second file, …_1, in each part")
    add("--no-sidecars", dest="sidecars", action="store_false", help="nothing in audit/, as of older runs")
    add("--no-process-files", dest="process_files", action="store_false", help="no unpartitioned files but at PROCESS")
    add("--force", action="store_true", help="replace other data of these chunks, and lower their steps")
    return parser


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _numbers(text: str) -> list[int]:
    numbers = [_number(word) for word in _words(text)]
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"{text!r} names one twice")
    return numbers


def _words(text: str) -> list[str]:
    words = text.split(",")
    if not all(words):
        raise argparse.ArgumentTypeError(f"{text!r} is no list such as 'one,two'")
    return words


def _flatten(lists: list[list[_T]] | None) -> set[_T]:
    return {item for items in lists or () for item in items}


def _parts_of_chunks(chunks: Sequence[int], parts: str) -> dict[int, int]:
    """The number of parts of every chunk, from `4` or `3=4,30=2`."""
    if re.fullmatch(r"[0-9]{1,18}", parts):
        return dict.fromkeys(chunks, int(parts))
    if not re.fullmatch(r"[0-9]{1,18}=[0-9]{1,18}(,[0-9]{1,18}=[0-9]{1,18})*", parts):
        raise SampleError(f"argument --parts: {parts!r} is neither a number nor a list such as 3=4,30=2")
    pairs = [(int(chunk), int(count)) for chunk, count in (pair.split("=") for pair in parts.split(","))]
    if sorted(chunk for chunk, _ in pairs) != sorted(chunks):
        raise SampleError(f"argument --parts: {parts!r} must name each of the chunks once")
    return dict(pairs)


def _check_combination(given: argparse.Namespace) -> None:
    for option in ("rows", "seed"):
        if given.entities is not None and getattr(given, option) is not None:
            raise SampleError(f"argument --{option}: only for the built-in set, not with --entities")


def _summary(sample: Sample, chunks: Sequence[int]) -> str:
    partitions = sample.partitions
    return (
        f"{sample.root}: {_count(len(chunks), 'chunk')}: {_count(int(partitions['files'].sum()), 'partition file')}, "
        f"{_count(int(partitions['rows'].sum()), 'row')}; "
        f"{_count(sample.written, 'file')} written, {sample.kept:,} there already"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


if __name__ == "__main__":
    sys.exit(main())
