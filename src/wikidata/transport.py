"""What differs below huggingface_hub: it speaks HTTP through requests up to 0.36, through httpx from 1.0 on."""

from collections.abc import Callable
from typing import Any

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError

HTTP_ERRORS: tuple[type[Exception], ...] = (OSError, HfHubHTTPError.__bases__[0])
"""Everything that a request may fail with. Errors of requests are all OSErrors; those of httpx descend from the class
that huggingface_hub's own error has as its first base."""


def limit_waiting(seconds: float) -> None:
    """Give every request of huggingface_hub a time-out; by itself it sets none."""
    if hasattr(huggingface_hub, "configure_http_backend"):
        huggingface_hub.configure_http_backend(_requests_session(seconds))
    else:
        huggingface_hub.set_client_factory(_httpx_client(seconds))


def _requests_session(seconds: float) -> Callable[[], Any]:
    import requests

    class Session(requests.Session):
        def request(self, *arguments: Any, **options: Any) -> requests.Response:
            options["timeout"] = options.get("timeout") or seconds
            return super().request(*arguments, **options)

    return Session


def _httpx_client(seconds: float) -> Callable[[], Any]:
    from huggingface_hub.utils import _http

    def client() -> Any:
        made = _http.default_client_factory()  # type: ignore[attr-defined] # of the locked 0.36
        made.timeout = seconds
        return made

    return client
