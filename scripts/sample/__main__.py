"""Write what the pipeline leaves before a push: state, partition files, unpartitioned files and sidecars.

The same command can be typed again, also after a push: what is there already and equal stays as it is, and so do state
files at a later step; a chunk made with --incomplete is completed without it. If ROOT has other data of these chunks,
nothing is written (exit code 2). Other chunks and other files are never touched.

The built-in set repeats a few well-known entities of Wikidata, described in our own words; ids beyond those are made up
(in chunk 3, a copy of Q42 is Q3000000042). Keys that are not lower-case codes are left out and reported on stderr.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from scripts.sample.build import DEFAULT_KEYS, DEFAULT_ROWS, write_sample
from scripts.sample.source_files import SampleError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse `arguments`, write the sample, and print one line about it; return the exit code."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    try:
        if given["entities"] and given["rows"] is not None:
            raise SampleError("--rows is for the built-in set, not for --entities")
        sample = write_sample(**{name: value for name, value in given.items() if value is not None})
    except SampleError as error:
        parser.error(str(error))
    except OSError as error:
        print(f"{parser.prog}: {error.filename or given['root']}: {error.strerror}", file=sys.stderr)
        return 1
    for (table, key), rows in sorted(sample.invalid_keys.items()):
        print(f"{parser.prog}: {table}: {key!r} is not a valid key: its rows are left out: {rows}", file=sys.stderr)
    print(
        f"{sample.root}: chunks: {len(given['chunks'])}, partition files: {sample.partition_files:,}, "
        f"rows: {sample.rows:,}; files written: {sample.written:,}, there already: {sample.kept:,}"
    )
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m scripts.sample",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("root", metavar="ROOT", type=Path, help="the folder to write to; made if it is not there")
    add("--chunks", metavar="C,…", type=_chunks, required=True, help="such as 3,30, of 4 parts each, or 3=4,30=2")
    add("--keys", metavar="N", type=int, help=f"keys of each table (default {DEFAULT_KEYS}; with FILE, all it has)")
    add("--rows", metavar="N", type=int, help=f"rows of each key in each part (default {DEFAULT_ROWS})")
    add("--entities", metavar="FILE", type=Path, help="rows from Wikibase JSON lines, plain or .gz, in their order")
    add("--incomplete", metavar="C,…", type=_chunks, help="chunks whose last part is at PROCESS")
    add("--split", dest="split_keys", metavar="KEY,…", type=lambda text: text.split(","), help="keys with two files")
    add("--no-process-files", dest="process_files", action="store_false", help="no unpartitioned files but at PROCESS")
    return parser


def _chunks(text: str) -> dict[int, int]:
    """The number of parts of every chunk, from `3,30` or `3=4,30=2`."""
    try:
        return {int(chunk): int(parts or 4) for chunk, _, parts in (word.partition("=") for word in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of chunks such as 3,30 or 3=4,30=2") from None


if __name__ == "__main__":
    sys.exit(main())
