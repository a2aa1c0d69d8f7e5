"""Write what the pipeline leaves before a push: state, partition files, unpartitioned files and sidecars."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from scripts.sample.build import DEFAULT_KEYS, DEFAULT_ROWS, Sample, write_sample
from scripts.sample.source_files import SampleError

_EPILOG = """
ROOT gets state/, results/ and audit/. What is there already and equal stays as it is, and so do state files at a later
step, so that the same command can be typed again, also after a push; a chunk made with --incomplete is completed by
the same command without it. If ROOT has other data of these chunks, nothing is written (exit code 2) unless --force
is given. Other chunks and other files are never touched.

Rows of the built-in set repeat a few well-known entities of Wikidata, described in our own words; ids beyond those
are made up (in chunk 3, a copy of Q42 is Q3000000042). Keys that are not lower-case codes are left out and reported on
stderr.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse `arguments`, write the sample, and print one line about it; return the exit code."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    try:
        if given["entities"] and (given["rows"], given["seed"]) != (None, None):
            raise SampleError("--rows and --seed are for the built-in set, not for --entities")
        chunks = _parts_of_chunks(given.pop("chunks"), given.pop("parts"))
        sample = write_sample(chunks=chunks, **{name: value for name, value in given.items() if value is not None})
    except SampleError as error:
        parser.error(str(error))
    except OSError as error:
        print(f"{parser.prog}: {error.filename or given['root']}: {error.strerror}", file=sys.stderr)
        return 1
    for (table, key), rows in sorted(sample.invalid_keys.items()):
        print(f"{parser.prog}: {table}: {key!r} is not a valid key: its rows are left out: {rows}", file=sys.stderr)
    print(_summary(sample, len(chunks)))
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
    add("root", metavar="ROOT", type=Path, help="the folder to write to; made if it is not there")
    add("--chunks", metavar="C,…", type=_numbers, required=True, help="the chunks to make, such as 3,30")
    add("--parts", metavar="N", default="4", help="parts of each: 4, or 3=4,30=2 (default %(default)s)")
    add("--keys", metavar="N", type=int, help=f"keys of each table (default {DEFAULT_KEYS}; with FILE, all it has)")
    add("--rows", metavar="N", type=int, help=f"rows of each key in each part (default {DEFAULT_ROWS})")
    add("--seed", metavar="N", type=int, help="another order of the built-in entities (default 0)")
    add("--entities", metavar="FILE", type=Path, help="rows from Wikibase JSON lines, plain or .gz, in their order")
    add("--incomplete", metavar="C,…", type=_numbers, help="chunks whose last part is at PROCESS")
    split_help = "keys with a second file, …_1, in each part"
    add("--split", dest="split_keys", metavar="KEY,…", type=lambda text: text.split(","), help=split_help)
    add("--no-sidecars", dest="sidecars", action="store_false", help="nothing in audit/, as of older runs")
    add("--no-process-files", dest="process_files", action="store_false", help="no unpartitioned files but at PROCESS")
    add("--force", action="store_true", help="replace other data of these chunks, and lower their steps")
    return parser


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 3,30") from None


def _parts_of_chunks(chunks: Sequence[int], parts: str) -> dict[int, int]:
    """The number of parts of every chunk, from `4` or `3=4,30=2`."""
    try:
        if "=" not in parts:
            return dict.fromkeys(chunks, int(parts))
        of_chunk = {int(chunk): int(count) for chunk, count in (pair.split("=") for pair in parts.split(","))}
    except ValueError:
        raise SampleError(f"--parts: {parts!r} is neither a number nor a list such as 3=4,30=2") from None
    if of_chunk.keys() != set(chunks):
        raise SampleError(f"--parts: {parts!r} must name each of the chunks once")
    return of_chunk


def _summary(sample: Sample, chunks: int) -> str:
    files, rows = (int(sample.partitions[name].sum()) for name in ("files", "rows"))
    return (
        f"{sample.root}: chunks: {chunks}, partition files: {files:,}, rows: {rows:,}; "
        f"files written: {sample.written:,}, there already: {sample.kept:,}"
    )


if __name__ == "__main__":
    sys.exit(main())
