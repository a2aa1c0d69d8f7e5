"""The tests; they mirror `src`, and `end_to_end` types what users type."""
