"""The generations of the upload CLI: which version has which command, and what it does on its own.

| huggingface_hub | command | retries |
| --- | --- | --- |
| 0.34 – 0.36 | `huggingface-cli upload-large-folder` (also `hf …`) | a failed job at once and for ever |
| 1.x | `hf upload-large-folder` | the same; the newest give up after 8 errors in a row. `huggingface-cli` is a stub |
| from 2.0 | `hf upload` | answers of 429 and 5xx 5 times each, then the batch in smaller commits; the rest never |

Each command line stands in the Makefile, in the target that a generation names. Sources: the CLIs themselves, run
against the Hub on localhost, and their `_upload_large_folder.py`, `_upload_pipeline.py` and `utils/_http.py`.
This module imports the standard library alone, for the watcher.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Version = tuple[int, ...]

_FAILED_JOB = r"Failed to (?:compute sha256|get upload mode|preupload LFS|commit): "
_REPEATED_REQUEST = r"HTTP Error 429 thrown while requesting|thrown while requesting POST \S+/commit/"
"""What is asked again by the request: one that spends a quota, or that may have worked."""

_QUIETLY = {"NO_COLOR": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}


@dataclass(frozen=True)
class Generation:
    """The versions from `first` up to, not including, `beyond`, which upload by the same command.

    `target` is the Makefile's, with the command line; `environment` makes it quiet; `repeats` is a pattern of the lines
    by which it says that something failed that it is going to try again: there the watcher ends it.
    """

    first: Version
    beyond: Version
    target: str
    repeats: str
    environment: Mapping[str, str] = field(default_factory=dict)


HUGGINGFACE_CLI = Generation(
    first=(0, 34),
    beyond=(1, 0),
    target="upload-large-folder",
    repeats=_FAILED_JOB,
)
HF_LARGE_FOLDER = Generation(
    first=(1, 0),
    beyond=(2, 0),
    target="upload-large-folder",
    repeats=f"{_FAILED_JOB}|{_REPEATED_REQUEST}",
    environment=_QUIETLY,
)
HF_UPLOAD = Generation(
    first=(2, 0),
    beyond=(3, 0),
    target="upload-folder",
    repeats=_REPEATED_REQUEST,
    environment=_QUIETLY,
)
GENERATIONS = (HUGGINGFACE_CLI, HF_LARGE_FOLDER, HF_UPLOAD)

REPEATS = re.compile("|".join(f"(?:{generation.repeats})" for generation in GENERATIONS))
"""No generation says what means something else in another, so the watcher need not know which one it watches."""

_VERSION = re.compile(r"\b([0-9]+(?:\.[0-9]+)+)")


def parse_version(output: str) -> Version | None:
    """The version in what a CLI prints when asked for it; None where there is none.

    0.36 prints `huggingface_hub version: 0.36.2`, later ones `version: 2.4.0`.
    """
    match = _VERSION.search(output)
    return tuple(map(int, match[1].split("."))) if match else None


def generation_of(version: Version) -> Generation | None:
    """The generation that a version belongs to; None where it has no command that we know."""
    return next((each for each in GENERATIONS if each.first <= version < each.beyond), None)
