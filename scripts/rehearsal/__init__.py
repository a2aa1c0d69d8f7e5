"""The parts of the rehearsal. See `__main__.py` for its story.

`chunks` has the real chunks, and the order in which their parts come; `contents` what each part holds; `pipeline`
writes it; `cron` runs the pushes meanwhile; `remote` is how the Hub misbehaves, and what is on it at the end; `checks`
compares; `report` tells.
"""
