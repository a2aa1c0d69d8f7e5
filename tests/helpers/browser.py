"""A browser without a window: Chromium, told what to do through a pipe by the protocol of its developer tools."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Browser:
    """One tab; `heard` has everything that it told: requests, console messages, exceptions."""

    def __init__(self, write: int, read: int) -> None:
        self.write, self.read, self.number, self.session = write, os.fdopen(read, "rb"), 0, ""
        self.heard: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command, and wait for its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while (told := self._next()).get("id") != self.number:
            self.heard.append(told)
        assert "error" not in told, told
        return told["result"]

    def open(self, page: Path, width: int, scheme: str) -> None:
        """Load a page in a window of that width, with a colour scheme, and wait until it is there."""
        self.heard.clear()
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=features)
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self.ask("Page.navigate", url=page.as_uri())
        while not any(each.get("method") == "Page.loadEventFired" for each in self.heard):
            self.heard.append(self._next())

    def run(self, script: str) -> Any:
        """The value of a script in the page."""
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """What was heard of some kinds."""
        return [each["params"] for each in self.heard if each.get("method") in methods]

    def _next(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self.read.read(1)) != b"\0":
            assert byte, "the browser is gone"
            message += byte
        return dict(json.loads(message))


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser for the length of a `with`; the test is skipped if there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium here")
    (its_read, write), (read, its_write) = os.pipe(), os.pipe()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    # The browser reads descriptor 3 and writes 4; the shell moves ours there.
    moved = f'exec "$0" "$@" 3<&{its_read} 4>&{its_write}'
    environment = os.environ | {"HOME": str(profile)}
    with subprocess.Popen(
        ["bash", "-c", moved, program, *options],
        pass_fds=[its_read, its_write],
        env=environment,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(its_read)
        os.close(its_write)
        try:
            yield Browser(write, read)
        finally:
            process.kill()
