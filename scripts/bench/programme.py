"""Which contests there are, and which rows the table has."""

from localhub.faults import Latency
from scripts.bench import processes, pushes
from scripts.bench.contest import Contest, Side
from scripts.bench.figures import Row, Unit
from scripts.bench.pushes import FIRST, SECOND, pushing, pushing_to_grown
from scripts.bench.scale import Scale
from wikidata.config import Layout, Table

LATENCY = Latency(request_seconds=0.15, commit_seconds=1.5)
PLAN_BYTES = 350e6
KEY_BYTES = float(1 << 30)
SHORT_RUNS = 7
"""Of contests that take less than a second."""


def contests(scale: Scale) -> list[Contest]:
    """All contests, in their order."""
    small, large = scale.small, scale.large
    packed, packed_by_hf = pushes.ours(Layout.PACKED), pushes.ours(Layout.PACKED, "hf")
    return [
        Contest("cron", (Side("ours", processes.tick), Side("peer", processes.importing)), SHORT_RUNS),
        Contest("state", (Side("ours", processes.state), Side("peer", processes.state_by_polars)), SHORT_RUNS),
        Contest(
            "small",
            (
                Side("ours", pushing(small, pushes.ours())),
                Side("ours by hf", pushing(small, pushes.ours(uploader="hf"))),
                Side("loop", pushing(small, pushes.loop)),
                Side("hf loop", pushing(small, pushes.hf_loop)),
            ),
        ),
        Contest(
            "large",
            (
                Side("ours", pushing(large, packed, twice=True)),
                Side("ours by hf", pushing(large, packed_by_hf, twice=True)),
                Side("loop", pushing(large, pushes.loop, twice=True)),
                Side("hf loop", pushing(large, pushes.hf_loop, twice=True)),
                Side("hf parallel", pushing(large, pushes.hf_parallel)),
                Side("parallel", pushing(large, pushes.parallel), once=True),
                Side("library", pushing(large, pushes.library), once=True),
            ),
        ),
        Contest("grown", tuple(_grown_sides(scale))),
        Contest("plan", (Side("ours", processes.plan), Side("peer", processes.bare_facts))),
        Contest("pack", (Side("ours", processes.pack), Side("peer", processes.bare_keys))),
        Contest("key", (Side("ours", processes.pack_large_key),)),
        Contest(
            "latency",
            (
                Side("ours", pushing(large, packed, LATENCY), once=True),
                Side("ours by hf", pushing(large, packed_by_hf, LATENCY), once=True),
                Side("loop", pushing(large, pushes.loop, LATENCY), once=True),
            ),
            runs=1,
            by_default=False,
        ),
    ]


def _grown_sides(scale: Scale) -> list[Side]:
    return [
        Side(_grown(layout, is_grown), pushing_to_grown(scale.small, layout, is_grown=is_grown))
        for layout in (Layout.FILES, Layout.PACKED)
        for is_grown in (True, False)
    ]


def _grown(layout: Layout, is_grown: bool) -> str:
    return f"{layout}, {'grown' if is_grown else 'empty'}"


def rows(scale: Scale) -> list[Row]:
    """The rows of the table, in their order."""
    return [*_push_rows(scale), *_hf_rows(scale), *_process_rows(scale), *_grown_rows(scale)]


def _push_rows(scale: Scale) -> list[Row]:
    """Those against what a user would run instead."""
    the_loop = f"the loop of {len(scale.tables)} × huggingface-cli"
    small, large = (f"push of {size.of(scale.tables)}" for size in (scale.small, scale.large))
    packed = f"{large}, packed"
    slow = f"{packed}, {LATENCY.request_seconds * 1000:.0f} ms a request, {LATENCY.commit_seconds} s a commit"
    return [
        Row("small", small, the_loop, 0.15, peer="loop", phase=FIRST),
        Row("large", packed, the_loop, 0.12, peer="loop", phase=FIRST),
        Row("large", f"{packed}: requests", the_loop, 0.06, peer="loop", phase=FIRST, unit=Unit.REQUESTS),
        Row("large", f"{packed}: commits of data", the_loop, 0.15, peer="loop", phase=FIRST, unit=Unit.DATA_COMMITS),
        Row("large", f"{packed}: commits, cards included", the_loop, peer="loop", phase=FIRST, unit=Unit.COMMITS),
        Row("large", f"second {packed}", the_loop, 0.25, peer="loop", phase=SECOND),
        Row("large", packed, "the same commands, all at once", peer="parallel", phase=FIRST),
        Row("large", packed, "upload_large_folder(), in a loop", peer="library", phase=FIRST),
        Row("latency", slow, the_loop, 0.05, peer="loop", phase=FIRST),
        Row("latency", f"{slow}, UPLOADER=hf", the_loop, ours="ours by hf", peer="loop", phase=FIRST),
    ]


def _hf_rows(scale: Scale) -> list[Row]:
    """Those with the newest CLI on either side."""
    count = len(scale.tables)
    the_loop, hf_loop = f"the loop of {count} × huggingface-cli", f"the loop of {count} × hf upload"
    small, large = (f"push of {size.of(scale.tables)}" for size in (scale.small, scale.large))
    packed, by_hf = f"{large}, packed", "UPLOADER=hf"
    return [
        Row("small", f"{small}, {by_hf}", the_loop, 0.05, ours="ours by hf", peer="loop", phase=FIRST),
        Row("small", f"{small}, {by_hf}", hf_loop, ours="ours by hf", peer="hf loop", phase=FIRST),
        Row("large", f"{packed}, {by_hf}", the_loop, ours="ours by hf", peer="loop", phase=FIRST),
        Row("large", f"{packed}, {by_hf}", hf_loop, ours="ours by hf", peer="hf loop", phase=FIRST),
        Row(
            "large",
            f"{packed}, {by_hf}",
            f"{count} × hf upload, all at once",
            0.8,
            ours="ours by hf",
            peer="hf parallel",
            phase=FIRST,
        ),
        Row("large", f"second {packed}, {by_hf}", hf_loop, 0.5, ours="ours by hf", peer="hf loop", phase=SECOND),
    ]


def _process_rows(scale: Scale) -> list[Row]:
    """Those against the shortest means, and against limits."""
    huge, states = scale.huge, f"{scale.state_files:,} state files"
    plan = f"plan of {huge.of(tuple(Table))}"
    key = f"pack one key of {_binary(scale.key_bytes)}"
    return [
        Row("cron", f"nothing to do, {states}", "python -c 'import polars'", 3),
        Row("state", f"get_all_state, {states}", "polars reading state/*.jsonl", 0.3),
        Row("plan", plan, "walk, stat, sha256, one polars scan", 1.3),
        Row("plan", f"{plan}: memory", "a limit of 350 MB", 1, peer=PLAN_BYTES, unit=Unit.PEAK_BYTES),
        Row("pack", f"pack {huge.parts} parts × {huge.keys} keys", "polars reading them, key by key", 1.5),
        Row("key", f"{key}: memory", "a limit of 1 GiB", 1, peer=KEY_BYTES, unit=Unit.PEAK_BYTES),
    ]


def _binary(size_bytes: int) -> str:
    """A whole number of GiB, or of MiB where it is less."""
    return f"{size_bytes >> 30} GiB" if size_bytes >> 30 else f"{size_bytes >> 20} MiB"


def _grown_rows(scale: Scale) -> list[Row]:
    """Those that show what files of other chunks cost; no goal."""
    push = f"push of {scale.small.of(scale.tables)}"
    return [
        Row(
            "grown",
            f"{push}{packed} to a repo of {scale.grown_files:,}{': requests' if unit is Unit.REQUESTS else ''}",
            "the same to an empty repo",
            ours=_grown(layout, True),
            peer=_grown(layout, False),
            phase=FIRST,
            unit=unit,
        )
        for layout, packed in ((Layout.FILES, ""), (Layout.PACKED, ", packed,"))
        for unit in (Unit.SECONDS, Unit.REQUESTS)
    ]
