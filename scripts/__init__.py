"""Programs of the project beside the push itself, each run as `python -m scripts.NAME`."""
