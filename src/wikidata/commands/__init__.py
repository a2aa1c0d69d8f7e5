"""One module for each subcommand: a function that returns an exit code."""
