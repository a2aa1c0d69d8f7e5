"""The generations of the upload CLI, one module each: which versions there are, how each is run, and what it says.

| huggingface_hub | command | retries |
| --- | --- | --- |
| 0.34 – 0.36 | `huggingface-cli upload-large-folder` (also `hf …`) | a failed job, at once and for ever |
| 1.x | `hf upload-large-folder` | the same; the newest give up after 8 errors in a row. `huggingface-cli` is a stub |
| from 2.0 | `hf upload` | answers of 429 and 5xx 5 times each, then the batch in smaller commits; the rest never |

Each command line stands in `upload.mk`, in the target that a generation names. Sources: the CLIs themselves, run
against the Hub on localhost, and their `_upload_large_folder.py`, `_upload_pipeline.py` and `utils/_http.py`.
The standard library alone is imported here, for the watcher.
"""

import re

from wikidata.upload.generations import hf_large_folder, hf_upload, huggingface_cli
from wikidata.upload.generations.protocol import Generation, Version

GENERATIONS: tuple[Generation, ...] = (huggingface_cli, hf_large_folder, hf_upload)

_VERSION = re.compile(r"\b([0-9]+(?:\.[0-9]+)+)")


def parse_version(output: str) -> Version | None:
    """The version in what a CLI prints when asked for it; None if there is none.

    0.36 prints `huggingface_hub version: 0.36.2`, later ones `version: 2.4.0`.
    """
    match = _VERSION.search(output)
    return tuple(map(int, match[1].split("."))) if match else None


def generation_of(version: Version) -> Generation | None:
    """The generation that a version belongs to; None if it has no command that we know."""
    return next((each for each in GENERATIONS if each.FIRST <= version < each.BEYOND), None)


def any_of(patterns: list[str]) -> re.Pattern[str]:
    """Matches what any of the patterns matches, at any line of a text.

    A line means the same in every generation that prints it, so the watcher need not know which one it watches.
    """
    return re.compile("|".join(f"(?:{pattern})" for pattern in dict.fromkeys(patterns) if pattern), re.MULTILINE)
