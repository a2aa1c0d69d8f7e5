"""`python -m wikidata.upload.preupload REPO FOLDER`: sends the content of files by Xet, and commits nothing.

A process of its own, since hf_xet has one cache a process, and under the watcher like every upload.
"""

import sys
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.constants import HF_HUB_DISABLE_XET
from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined] # not in its own list


def main(repo_id: str, folder: str) -> None:
    """Send every file in `folder` to the dataset `repo_id`; nothing if Xet is switched off."""
    if not HF_HUB_DISABLE_XET:
        disable_progress_bars()
        additions = [CommitOperationAdd(path.name, path) for path in sorted(Path(folder).iterdir()) if path.is_file()]
        HfApi().preupload_lfs_files(repo_id, additions, repo_type="dataset")


if __name__ == "__main__":
    main(*sys.argv[1:])
