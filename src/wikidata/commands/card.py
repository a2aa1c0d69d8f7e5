"""`wikidata card`: print the dataset card that the next push would publish."""

from wikidata.config import Selection, Settings
from wikidata.dataset.layout import scale_of
from wikidata.errors import Exit, UsageError
from wikidata.publish import preview_card
from wikidata.report.terminal import Terminal
from wikidata.session import Session
from wikidata.state import get_all_state


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print the card of the chosen table."""
    if chosen.table is None:
        raise UsageError("card: of which table? make card TABLE=labels, or wikidata card --table labels")
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:
        print(preview_card(session, chosen.table, scale_of(get_all_state(settings.state_dir))), end="")
    return Exit.OK
