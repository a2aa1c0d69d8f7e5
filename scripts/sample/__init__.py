"""Sample pipeline output: what the pipeline leaves on disk before a push. See `__main__.py` for its use.

`build` makes a sample: `builtin` or `entities` give the rows of each source file, `write` writes them into a staging
folder, and `build` moves them to where they belong. `keys` has partition keys, `source_files` the names of the files.
"""
