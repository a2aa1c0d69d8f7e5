"""What is made once and copied, because making it takes longer: samples, and what the upload CLIs say of themselves."""

import shutil
from pathlib import Path
from typing import Any, Protocol

from scripts.sample.build import write_sample
from tests.helpers.box import Box
from wikidata.upload.finder import LIBRARY, find_uploader


class NewBox(Protocol):
    """Makes a box in a folder of that name, with a sample as of `write_sample`."""

    def __call__(self, name: str = "box", **sample: Any) -> Box: ...


class Stock:
    """A folder with what was made so far."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.samples: dict[str, Path] = {}

    def copy_sample(self, root: Path, **sample: Any) -> None:
        """Write a sample; see `write_sample`."""
        made = self.samples.setdefault(repr(sample), self.root / f"sample-{len(self.samples)}")
        if not made.exists():
            write_sample(made, **sample)
        shutil.copytree(made, root, dirs_exist_ok=True)

    def copy_versions(self, manifest_dir: Path, uploader: str) -> None:
        """Let a push know the version of an uploader as if it had asked before: asking is a start of the CLI."""
        if uploader == LIBRARY:
            return
        find_uploader(uploader, self.root)
        manifest_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(self.root / ".uploaders.json", manifest_dir)
