"""`python -m wikidata`, the same as the `wikidata` command."""

import sys

from wikidata.main import main

sys.exit(main())
