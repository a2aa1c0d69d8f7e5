"""huggingface_hub 0.34 to 0.36: `huggingface-cli upload-large-folder`, which the specification names."""

from collections.abc import Mapping

from wikidata.upload.generations.protocol import FAILED_JOB, REFUSED, XET, Version

FIRST: Version = (0, 34)
BEYOND: Version = (1, 0)
TARGET = "upload-large-folder"
ENVIRONMENT: Mapping[str, str] = {}
REPEATS = FAILED_JOB
ERRORS = rf"\b([45][0-9]{{2}}) (?:Client|Server) Error\b|{REFUSED}|{XET}"
REPEATED_ERRORS = ""
SUMMARY = ""
