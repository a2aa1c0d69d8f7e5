"""What the user's environment says of the Hub: the token, and whether the Hub may be asked at all."""

import os

from huggingface_hub import get_token

from wikidata.errors import HubRefusedError, UsageError

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_TRUE = {"1", "ON", "YES", "TRUE"}
"""As huggingface_hub reads them (`constants.py`)."""


def check_online() -> None:
    """Raise UsageError if the environment keeps the Hub's own tools from asking the Hub."""
    for name in _OFFLINE:
        if os.environ.get(name, "").upper() in _TRUE:
            raise UsageError(f"{name}={os.environ[name]} forbids all questions to the Hub: unset it")


def stored_token() -> str | None:
    """The token of HF_TOKEN or of the stored login; None if there is neither."""
    try:
        return get_token()
    except OSError as error:
        raise HubRefusedError(f"cannot read the stored login, {error.filename}: {error.strerror}: mend it") from error
