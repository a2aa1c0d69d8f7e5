"""Which comparisons there are: a function for each, with its sides and the rows of the table."""

import sys

from localhub.faults import Latency
from scripts.bench.data import (
    CHUNKS_TO_FOLD,
    LARGE_KEYS,
    Scale,
    Size,
    chunks_of_a_key,
    chunks_of_a_large_key,
    chunks_of_words,
    chunks_to_fold,
    heavy_chunk,
    huge_chunk,
    large_key,
    large_key_of_words,
    large_keys,
    pushed_states,
)
from scripts.bench.measure import OURS, Comparison, Row, Side
from scripts.bench.nodes import CHUNKS, on_nodes, on_one_box
from scripts.bench.pieces import command, piece
from scripts.bench.pushes import CLI, HF, LIBRARY, each, folding_by_xet, ours, pushing, pushing_to_repo
from scripts.bench.readers import LAYOUTS, READERS, reading
from wikidata.config import Layout, Table

LATENCY = Latency(request_seconds=0.15, commit_seconds=1.5)
SHORT_RUNS = 7
"""Of what takes less than a second."""

BY_HF = "ours, UPLOADER=hf"
LOOP, HF_LOOP = "the loop of huggingface-cli", "the loop of hf upload"
AT_ONCE, HF_AT_ONCE = "the same commands, all at once", "hf upload of each, all at once"
BY_LIBRARY = "upload_large_folder(), in a loop"
USING_HF = ", UPLOADER=hf"


def cron(scale: Scale) -> Comparison:
    """A tick with nothing to do, against what loading polars costs."""
    bare, words = "python -c 'import polars'", [sys.executable, "-c", "import polars"]
    sides = {OURS: command(["make", "push"], pushed_states), bare: command(words, pushed_states)}
    return Comparison("cron", sides, [Row(f"nothing to do, {scale.state_files:,} state files", bare, 3)], SHORT_RUNS)


def state(scale: Scale) -> Comparison:
    """Reading all state files."""
    bare = "polars reading state/*.jsonl"
    sides = {OURS: piece("state", pushed_states), bare: piece("state_barely", pushed_states)}
    return Comparison("state", sides, [Row(f"get_all_state, {scale.state_files:,} files", bare, 0.3)], SHORT_RUNS)


def small(scale: Scale) -> Comparison:
    """A push of few files."""
    pushers = {OURS: ours(), BY_HF: ours(uploader="hf"), LOOP: each(CLI), HF_LOOP: each(HF)}
    push = f"push of {scale.small.of(scale.tables)}"
    rows = [
        Row(push, LOOP, 0.15),
        Row(push + USING_HF, LOOP, 0.05, side=BY_HF),
        Row(push + USING_HF, HF_LOOP, side=BY_HF),
    ]
    return Comparison("small", {name: pushing(scale.small, pusher) for name, pusher in pushers.items()}, rows)


def large(scale: Scale) -> Comparison:
    """A packed push of many files, and a second one that finds nothing to do."""
    twice = {OURS: ours(Layout.PACKED), BY_HF: ours(Layout.PACKED, "hf"), LOOP: each(CLI), HF_LOOP: each(HF)}
    once = {HF_AT_ONCE: each(HF, at_once=True), AT_ONCE: each(CLI, at_once=True), BY_LIBRARY: each(LIBRARY)}
    push = f"push of {scale.large.of(scale.tables)}, packed"
    rows = [
        Row(push, LOOP, 0.12),
        Row(f"{push}: requests", LOOP, 0.06, "requests"),
        Row(f"{push}: commits of data", LOOP, 0.15, "data_commits"),
        Row(f"{push}: commits, cards included", LOOP, None, "commits"),
        Row(f"second {push}", LOOP, 0.25, "second_seconds"),
        Row(push, AT_ONCE),
        Row(push, BY_LIBRARY),
        Row(push + USING_HF, LOOP, side=BY_HF),
        Row(push + USING_HF, HF_LOOP, side=BY_HF),
        Row(push + USING_HF, HF_AT_ONCE, 0.8, side=BY_HF),
        Row(f"second {push}{USING_HF}", HF_LOOP, 0.5, "second_seconds", BY_HF),
    ]
    sides = {name: pushing(scale.large, pusher, twice=True) for name, pusher in twice.items()}
    sides |= {name: pushing(scale.large, pusher) for name, pusher in once.items()}
    return Comparison("large", sides, rows, once=(AT_ONCE, BY_LIBRARY))


def latency(scale: Scale) -> Comparison:
    """The same packed push to a Hub as far away as the real one."""
    pushers = {OURS: ours(Layout.PACKED), BY_HF: ours(Layout.PACKED, "hf"), LOOP: each(CLI)}
    sides = {name: pushing(scale.large, pusher, LATENCY) for name, pusher in pushers.items()}
    wait = f"{LATENCY.request_seconds * 1000:.0f} ms a request, {LATENCY.commit_seconds} s a commit"
    push = f"push of {scale.large.of(scale.tables)}, packed, {wait}"
    rows = [Row(push, LOOP, 0.05), Row(push + USING_HF, LOOP, side=BY_HF)]
    return Comparison("latency", sides, rows, once=tuple(sides), by_default=False)


def nodes(scale: Scale) -> Comparison:
    """Several packed chunks to a Hub as far away as the real one, by Slurm on two nodes and on one."""
    by_one, by_box = "make submit on one node", "make push"
    sides = {name: on_nodes(count, scale.small, LATENCY) for name, count in ((OURS, 2), (by_one, 1))}
    sides[by_box] = on_one_box(scale.small, LATENCY)
    what = f"make submit of {CHUNKS} chunks, {scale.small.of(tuple(Table))} each, on two nodes, far away"
    rows = [Row(what, by_one, 0.6), Row(what, by_box), Row(f"{what}: requests", by_box, None, "requests")]
    return Comparison("nodes", sides, rows, once=tuple(sides), by_default=False)


def plan(scale: Scale) -> Comparison:
    """Planning a huge chunk, for repos that do not exist."""
    bare, limit = "walk, stat, sha256, one polars scan", "a limit of 350 MB"
    what = f"plan of {scale.huge.of(tuple(Table))}"
    sides = {OURS: piece("plan", huge_chunk, with_hub=True), bare: piece("plan_barely", huge_chunk)}
    rows = [Row(what, bare, 1.3), Row(f"{what}: memory", limit, 1, "peak_bytes", limit=350e6)]
    return Comparison("plan", sides, rows)


def pack(scale: Scale) -> Comparison:
    """Packing one table of a huge chunk."""
    bare = "polars reading them, key by key"
    sides = {OURS: piece("pack", huge_chunk), bare: piece("pack_barely", huge_chunk)}
    return Comparison("pack", sides, [Row(f"pack {scale.huge.parts} parts × {scale.huge.keys} keys", bare, 1.5)])


def pack_large(scale: Scale) -> Comparison:
    """Packing a few large keys."""
    bare = "polars, from scan to sink, key by key"
    sides = {OURS: piece("pack", large_keys), bare: piece("fold_barely", large_keys)}
    return Comparison("pack_large", sides, [Row(f"pack {len(LARGE_KEYS)} keys of {_large(scale)}", bare, 1)])


def fold(scale: Scale) -> Comparison:
    """Folding one table of 16 chunks, from the partition files: many small ones, or a few of one key."""
    sides: dict[str, Side] = {}
    rows: list[Row] = []
    cases = {
        f"{scale.large.parts} parts × {scale.large.keys} keys": chunks_to_fold,
        f"{scale.key_bytes >> 18:,} KiB of one key": chunks_of_a_key,
        f"{scale.key_bytes // CHUNKS_TO_FOLD >> 10:,} KiB of one key": chunks_of_a_large_key,
        f"{scale.key_bytes // CHUNKS_TO_FOLD >> 12:,} KiB of one key, of words": chunks_of_words,
    }
    for what, data in cases.items():
        name, bare = f"fold {CHUNKS_TO_FOLD} chunks × {what}", f"polars, from scan to sink: {what}"
        sides |= {name: piece("fold", data), bare: piece("fold_barely", data)}
        rows.append(Row(name, bare, 1.3, side=name))
    return Comparison("fold", sides, rows)


def fold_by_xet(scale: Scale) -> Comparison:
    """What a fold sends of what the Hub has already."""
    what = f"fold {CHUNKS_TO_FOLD} chunks × {scale.key_bytes >> 18:,} KiB by Xet: bytes sent"
    row = Row(what, "those of the folded file", 0.1, "sent_bytes", limit="folded_bytes")
    return Comparison("fold_by_xet", {OURS: folding_by_xet}, [row], runs=1)


def key(scale: Scale) -> Comparison:
    """Packing one large key, and the memory that it takes."""
    what, bare = f"pack one key of {scale.key_bytes >> 20:,} MiB", "polars, from scan to sink"
    words, bare_words = f"pack one key of {scale.key_bytes >> 22:,} MiB of words", f"{bare}, of words"
    sides = {
        OURS: piece("pack", large_key),
        bare: piece("fold_barely", large_key),
        words: piece("pack", large_key_of_words),
        bare_words: piece("fold_barely", large_key_of_words),
    }
    limit = Row(f"{what}: memory", "a limit of 1 GiB", 1, "peak_bytes", limit=float(1 << 30))
    return Comparison("key", sides, [Row(what, bare, 1), limit, Row(words, bare_words, 1, side=words)])


def heavy(scale: Scale) -> Comparison:
    """A push of large files as they are, by LFS and by Xet."""
    pushers = {BY_HF: ours(Layout.FILES, "hf"), HF_AT_ONCE: each(HF, at_once=True)}
    size = Size(scale.key_parts, 1)
    sides: dict[str, Side] = {}
    rows: list[Row] = []
    for protocol in ("LFS", "Xet"):
        mine, theirs = (f"{name}, by {protocol}" for name in pushers)
        for name, pusher in zip((mine, theirs), pushers.values(), strict=True):
            sides[name] = pushing(size, pusher, data=heavy_chunk, by_xet=protocol == "Xet")
        what = f"push of {size.of(scale.tables)} of {_large(scale)} a table, by {protocol}"
        rows.append(Row(what + USING_HF, theirs, 1.25, side=mine))
    return Comparison("heavy", sides, rows)


def _large(scale: Scale) -> str:
    return f"{(scale.key_bytes // len(LARGE_KEYS)) >> 20:,} MiB"


def grown(scale: Scale) -> Comparison:
    """What files of other chunks cost."""
    sides, rows = {}, []
    for layout, words in ((Layout.FILES, ""), (Layout.PACKED, ", packed")):
        full, empty = (f"the same to {repo}{words}" for repo in ("a full repo", "an empty repo"))
        sides[full] = pushing_to_repo(scale.small, layout, has_files=True)
        sides[empty] = pushing_to_repo(scale.small, layout, has_files=False)
        files = scale.others.parts * scale.others.keys
        recorded = f" in {scale.others.parts} recorded chunks" if layout is Layout.PACKED else ""
        what = f"push of {scale.small.of(scale.tables)}{words} to a repo of {files:,}{recorded}"
        rows += [Row(what, empty, side=full), Row(f"{what}: requests", empty, None, "requests", full)]
    return Comparison("grown", sides, rows)


def readers(_: Scale) -> Comparison:
    """The downloads (requests to the Hub's resolver) of what people read a table with, as its files are folded."""
    sides: dict[str, Side] = {}
    rows: list[Row] = []
    for reader in READERS:
        packed, half, folded = names = [f"{reader}, {layout}" for layout in LAYOUTS]
        sides |= {name: reading(reader, layout) for name, layout in zip(names, LAYOUTS, strict=True)}
        for side, scope, words, most in (
            (half, "key", "one key", 50),
            (folded, "key", "one small key", 6),
            (folded, "all", "everything", 1500),
        ):
            what, name = f"{side}: downloads for {words}", f"{scope}_resolve"
            rows += [Row(what, f"at most {most:,}", 1, name, side, limit=most), Row(what, packed, None, name, side)]
        rows.append(Row(f"{half}: downloads for everything, scaled", packed, None, "all_resolve", half))
    return Comparison("readers", sides, rows, runs=1)


COMPARISONS = (
    cron,
    state,
    small,
    large,
    heavy,
    latency,
    plan,
    pack,
    pack_large,
    fold,
    fold_by_xet,
    key,
    grown,
    readers,
    nodes,
)
