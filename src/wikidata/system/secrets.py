"""Keeping the token out of everything that is written."""

import os
import re

_SHAPE = re.compile(rb"\bhf_[A-Za-z0-9]{20,}|(?<=Bearer )[^\s'\"]+")
_MASK = b"***"


class Redactor:
    """Cuts out the token of the environment, and whatever looks like one."""

    def __init__(self) -> None:
        given = (os.environ.get(name, "") for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
        self.tokens = [token.encode() for token in given if len(token) >= 8]

    def __call__(self, line: bytes) -> bytes:
        """`line` without tokens."""
        for token in self.tokens:
            line = line.replace(token, _MASK)
        return _SHAPE.sub(_MASK, line)
