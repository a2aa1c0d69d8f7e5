"""What all tests share: a clean environment, and a home folder that nobody can write to."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

_SETTINGS = (
    *("CHUNK", "TABLE", "DRY_RUN", "QUIET", "PRIVATE", "HF_", "HUGGING_FACE", "UPLOAD", "WIKIDATA", "MAKE", "MFLAGS"),
    *("STATE_DIR", "OUTPUT_DIR", "AUDIT_DIR", "MANIFEST_DIR", "STAGING_DIR", "LOG_", "LOCK_"),
    *("JOBS", "WORKERS", "STALL_MINUTES", "ATTEMPTS", "RETRY_SECONDS"),
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the user's shell and no stored login reaches a test; writing to the home folder fails."""
    for name in list(os.environ):
        if name.startswith(_SETTINGS):
            monkeypatch.delenv(name)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").touch()
    monkeypatch.setenv("HOME", str(elsewhere / "file" / "home"))
    monkeypatch.setenv("HF_HOME", str(elsewhere / "hf-home"))
