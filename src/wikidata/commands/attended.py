"""What `push` and `fold` have in common: who is told of failures, a person, cron, or a monitoring service."""

import sys
from collections.abc import Callable, Iterable

from wikidata.config import Settings
from wikidata.errors import Exit, LockedError, PushError, TryLaterError, worst
from wikidata.report.failures import describe, report
from wikidata.report.ping import Ping
from wikidata.report.terminal import Terminal


def attend(settings: Settings, work: Callable[[Terminal], Iterable[PushError]], *, is_by_hand: bool) -> Exit:
    """Do work that yields what fails, tell it as it fails, and return the worst exit code.

    A tick (started neither by hand nor from a terminal) that finds another push at work, or a quota used up, says
    nothing.
    """
    ping = Ping(settings.ping_url, warn=lambda line: print(line, file=sys.stderr))
    ping.start()
    is_tick = not is_by_hand and not sys.stderr.isatty()
    codes: list[Exit] = []
    told: list[str] = []
    terminal = Terminal(quiet=settings.quiet)
    for error in work(terminal):
        codes.append(error.exit_code)
        if told and isinstance(error, TryLaterError):
            error.details = ()  # just said
        if not (is_tick and _is_quiet(error, settings)) and not set(describe(error)) <= set(told):
            report(error)
            told += describe(error)
    refresh_page(settings)
    if told:
        ping.fail(told)
    elif not codes:
        ping.success(terminal.news)
    return worst(codes)


def _is_quiet(error: PushError, settings: Settings) -> bool:
    """Whether a tick need not tell: somebody else is at work, though not for too long, or it is not yet time."""
    if isinstance(error, LockedError):
        return error.held_seconds <= settings.lock_stale_hours * 3600
    return isinstance(error, TryLaterError)


def refresh_page(settings: Settings) -> None:
    """Write the page, if PAGE says where; a push does not fail for it."""
    if settings.page is None:
        return
    from wikidata.report.page import write_page

    try:
        write_page(settings)
    except PushError as error:
        print(f"wikidata: warning: PAGE: {error}", file=sys.stderr)
