"""huggingface_hub 2.x: `hf upload`, a streamed pipeline of several commits (`_upload_pipeline.py`)."""

from wikidata.upload.generations import hf_large_folder
from wikidata.upload.generations.protocol import QUIETLY, Version

FIRST: Version = (2, 0)
BEYOND: Version = (3, 0)
TARGET = "upload-folder"
ENVIRONMENT = QUIETLY
REPEATS = hf_large_folder.REPEATED_REQUEST
ERRORS = rf"{hf_large_folder.ERRORS}|^Error: Bad request\b|^Error: (?:Dataset|Repository) .*not found\."
REPEATED_ERRORS = hf_large_folder.REPEATED_ERRORS
SUMMARY = r"Uploading\.\.\. .* ([0-9,]+)/[0-9,]+ uploaded .*, ([0-9,]+) committed in "
"""With Xet, every 30 s."""
