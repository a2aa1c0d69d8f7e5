"""The parts of the rehearsal. See `__main__.py` for its story.

`chunks` has the real chunks, and the order in which their parts come; `contents` what each part holds; `pipeline`
writes it; `cron` runs the pushes meanwhile; `trouble` is what the Hub does to them; `arrived` reads back what is on the
Hub; `checks` compares; `figures` counts; `report` tells.
"""
