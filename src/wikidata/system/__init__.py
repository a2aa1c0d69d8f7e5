"""Files that are there whole or not at all, and keeping secrets out of them."""
