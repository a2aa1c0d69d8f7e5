"""`UPLOADER=library`: `python -m wikidata.upload.library REPO FOLDER WORKERS MESSAGE`, which needs no CLI.

A process of its own, under the watcher like the others, because huggingface_hub retries for ever and in threads.
"""

import sys

import huggingface_hub
from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined] # not in its own list


def main(repo_id: str, folder: str, workers: str, message: str) -> None:
    """Upload everything below `folder` to the dataset `repo_id`, by `upload_large_folder` if it still exists."""
    disable_progress_bars()
    if hasattr(huggingface_hub, "upload_large_folder"):
        huggingface_hub.upload_large_folder(
            repo_id=repo_id,
            folder_path=folder,
            repo_type="dataset",
            num_workers=int(workers),
            print_report=False,
        )
    else:
        huggingface_hub.upload_folder(repo_id=repo_id, folder_path=folder, repo_type="dataset", commit_message=message)


if __name__ == "__main__":
    main(*sys.argv[1:])
