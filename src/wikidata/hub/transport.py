"""What lies below huggingface_hub, and is global to a process: its HTTP client and its progress bars.

It speaks HTTP through requests up to 0.36, through httpx from 1.0 on. `confined` changes both while the push uses them,
and gives them back: `push_chunk()` runs inside the pipeline's own Python.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import (  # type: ignore[attr-defined] # not in its own list
    _http,
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

HTTP_ERRORS: tuple[type[Exception], ...] = (OSError, HfHubHTTPError.__bases__[0])
"""Everything that a request may fail with. Errors of requests are all OSErrors; those of httpx descend from the class
that huggingface_hub's own error has as its first base."""

LONGEST_ANSWER_SECONDS = 60.0
"""How long to wait for the Hub to connect, and for each part of an answer."""

Factory = Callable[[], Any]

_BY_REQUESTS = hasattr(huggingface_hub, "configure_http_backend")
_FACTORY = "_GLOBAL_BACKEND_FACTORY" if _BY_REQUESTS else "_GLOBAL_CLIENT_FACTORY"
_lock = Lock()
_inside = 0
_before: tuple[Factory, bool]


@contextmanager
def confined(seconds: float) -> Iterator[None]:
    """Give every request of huggingface_hub a time-out (by itself it sets none), and hide its progress bars.

    What was set before comes back at the end, of the last block if several overlap.
    """
    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = getattr(_http, _FACTORY), are_progress_bars_disabled()
            disable_progress_bars()
            _set_factory(_limited(_before[0], seconds))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                factory, had_no_bars = _before
                _set_factory(factory)
                if not had_no_bars:
                    enable_progress_bars()


def _set_factory(factory: Factory) -> None:
    if _BY_REQUESTS:
        huggingface_hub.configure_http_backend(factory)
    else:
        huggingface_hub.set_client_factory(factory)


def _limited(factory: Factory, seconds: float) -> Factory:
    def limited_client() -> Any:
        client = factory()
        if _BY_REQUESTS:
            request = client.request
            client.request = lambda *arguments, **options: request(
                *arguments, **options | {"timeout": options.get("timeout") or seconds}
            )
        else:
            client.timeout = seconds
        return client

    return limited_client
