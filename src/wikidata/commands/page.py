"""`wikidata page`: write how far the publication is as a page to look at."""

from wikidata.config import Selection, Settings
from wikidata.errors import Exit
from wikidata.report.page import write_page


def run(settings: Settings, _chosen: Selection) -> Exit:
    """Write it, and say where it is."""
    print(f"written: {write_page(settings)}")
    return Exit.OK
