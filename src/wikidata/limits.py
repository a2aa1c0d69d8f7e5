"""What the Hub bears: its documents of August 2026, and its maintainers' words."""

FILES_A_REPO = 100_000
"""Recommended: a repo of 1.6 million met 429 and 504 on every commit."""
ENTRIES_A_FOLDER = 10_000
"""Hard: the commit is rejected."""
FILE_BYTES = 200_000_000_000
LARGEST_FILE_BYTES = 500_000_000_000
"""Recommended, and hard."""
VIEWER_ROW_GROUP_BYTES = 286 << 20
"""What the viewer reads, uncompressed."""
COMMITS_AN_HOUR = 128
FILES_A_COMMIT = 150
"""Of upload-large-folder, on average: 43,000 files took 289 commits."""
