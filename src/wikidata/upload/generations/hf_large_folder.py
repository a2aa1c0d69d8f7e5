"""huggingface_hub 1.x: `hf upload-large-folder`, over httpx; it also repeats single requests."""

from wikidata.upload.generations.protocol import FAILED_JOB, QUIETLY, REFUSED, XET, Version

FIRST: Version = (1, 0)
BEYOND: Version = (2, 0)
TARGET = "upload-large-folder"
ENVIRONMENT = QUIETLY
REPEATED_REQUEST = r"HTTP Error 429 thrown while requesting|thrown while requesting POST \S+/commit/"
"""What is asked again by the request: one that spends a quota, or that may have worked."""
REPEATS = f"{FAILED_JOB}|{REPEATED_REQUEST}"
ERRORS = rf"\b(?:Client|Server) error '([45][0-9]{{2}}) |{REFUSED}|{XET}"
REPEATED_ERRORS = r"\bHTTP Error ([45][0-9]{2}) thrown\b"
SUMMARY = ""
