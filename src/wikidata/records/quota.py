"""Remembering that a quota is used up: until it is filled again nobody asks the Hub for anything."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from wikidata.errors import DiskError, PushError, QuotaError, TablesFailedError, TryLaterError
from wikidata.system.files import make_private_folder, write_atomically

REQUEST_WINDOW_SECONDS = 300.0
"""The window of the Hub's request quota: how long to wait where the Hub does not say."""


def remember_quota(manifest_dir: Path, error: PushError) -> None:
    """Where a push ended for a quota, write down until when not to try again."""
    errors = error.errors if isinstance(error, TablesFailedError) else (error,)
    quotas = [each for each in errors if isinstance(each, QuotaError)]
    if quotas:
        seconds = max(each.retry_after_seconds or REQUEST_WINDOW_SECONDS for each in quotas)
        content = {"not_before": time.time() + seconds, "why": str(quotas[0])}
        write_atomically(_path(make_private_folder(manifest_dir)), json.dumps(content).encode() + b"\n")


def check_not_before(manifest_dir: Path) -> None:
    """Raise TryLaterError as long as a quota that was used up is not filled again."""
    path = _path(manifest_dir)
    try:
        content = json.loads(path.read_bytes())
        not_before, why = float(content["not_before"]), str(content["why"])
    except FileNotFoundError:
        return
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror}: mend its permissions") from error
    except (ValueError, KeyError, TypeError):
        not_before, why = 0.0, ""
    if not_before > time.time():
        at = datetime.fromtimestamp(not_before, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise TryLaterError(f"a quota is used up, not before {at} (remove {path} to try at once): {why}")
    path.unlink(missing_ok=True)


def _path(manifest_dir: Path) -> Path:
    return manifest_dir / ".not-before.json"
