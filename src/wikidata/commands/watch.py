"""`wikidata watch`: run the upload CLI under the watcher, as the targets of `upload.mk` do."""

import argparse
from pathlib import Path

from wikidata.upload.watcher import Limits
from wikidata.upload.watcher import run as watch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the watcher; it reads no setting, so that it stands alone."""
    parser.add_argument("--log", type=Path, required=True, help="file for the whole output of the program")
    parser.add_argument("--folder", type=Path, required=True, help="the folder that it uploads")
    parser.add_argument("--stall-minutes", type=float, default=10.0, help="kill it when nothing advances for so long")
    parser.add_argument("--timeout-hours", type=float, default=24.0, help="kill it after so long in any case")
    parser.add_argument("--lifeline", action="store_true", help="kill it when standard input closes")
    parser.add_argument("program", nargs="+", metavar="-- PROGRAM", help="the program and its arguments")


def run(options: argparse.Namespace) -> int:
    """Run the program; returns 0 if it succeeded, else 1."""
    limits = Limits(options.stall_minutes * 60, options.timeout_hours * 3600)
    return watch(options.program, options.log, options.folder, limits, options.lifeline)
