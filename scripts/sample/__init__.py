"""Sample pipeline output: what the pipeline leaves on disk before a push. See `__main__.py` for its use.

`build` makes a sample. `entities` turns Wikibase JSON into rows of the five tables; `sources` deals those of a file out
to the source files; `well_known` has a few entities written down by hand, and `builtin` makes any number of rows of
them; `keys` knows partition keys and `layout` names; `write` writes the files of every source file into a staging
folder; `settle` moves them to where they belong, unless other data is there.
"""
