"""Sides that read: what people's tools ask a Hub for one key or for everything, in repos of three layouts.

The names are those of a whole table; the content is one tiny file everywhere, sent by Xet as to the real Hub, which is
asked for each of them all the same. The repos are written where a Hub on localhost keeps them, since a push of so many
files would take hours. Each reader runs in .venv-readers, in a process of its own with fresh caches, and loads
everything by the pattern that the dataset card shows. As long as that is tens of thousands of files, it lists all and
opens those of a few keys, and the requests to open files are scaled.
"""

from pathlib import Path

from localhub.faults import Endpoint
from localhub.repos.cards import CARD
from localhub.repos.commits import put_regular
from localhub.repos.content import Content
from localhub.repos.store import Commit, Repos
from localhub.testing import RunningHub, running_hub
from scripts.bench.data import Scale
from scripts.bench.measure import Measured, Side
from scripts.bench.workspace import SideError, Workspace, environment_of, run
from scripts.sample.keys import choose_keys
from wikidata.card.text import CardFacts, KeyFacts, make_card
from wikidata.config import HF_USER, ROOT, Table, target_repos
from wikidata.names import key_folder

PYTHON = str(ROOT / ".venv-readers" / "bin" / "python")
XET = ("--xet",)
TABLE = Table.LABELS
REPO = target_repos(HF_USER)[TABLE]
KINDS = (Endpoint.RESOLVE, Endpoint.INFO, Endpoint.TREE, Endpoint.PATHS_INFO, Endpoint.XET_TOKEN)
"""What the Hub counts of a reader, the first as downloads, all others as requests of its API."""
CHUNKS, BLOCK = 113, 16
LARGE_KEYS = 40
"""Those that are too large for one file when all is folded, so that there are some 540."""
PACKED, HALF_FOLDED, FOLDED = LAYOUTS = ("packed", "half folded", "folded")
LONG_AGO = "2026-01-01T00:00:00.000Z"
"""When everything was committed, for DuckDB takes what is new for what may still change."""
SAMPLED = "e*"
"""The keys that everything is scaled from, unless all is folded: `en`, `es`, `el`, …"""

_SEED = """
import io, sys, polars
from huggingface_hub import HfApi
repo = {"repo_id": sys.argv[1], "repo_type": "dataset"}
file = io.BytesIO()
polars.DataFrame({"id": ["Q1"], "language": ["en"], "label": ["one"]}).write_parquet(file)
HfApi().create_repo(**repo)
HfApi().upload_file(path_or_fileobj=file.getvalue(), path_in_repo="seed.parquet", **repo)
"""
_BEGIN = """
import os, sys
from huggingface_hub import HfFileSystem
repo, key, files = sys.argv[1:]
hub = HfFileSystem()
"""
READERS = {
    "datasets": """
import datasets
datasets.config.USE_PARQUET_EXPORT = False  # the viewer's, which is another host
what = {"name": key} if key else {"data_files": files}
print(datasets.load_dataset(repo, split="train", **what).num_rows)
""",
    "polars": """
import polars
paths = hub.glob(f"datasets/{repo}/{files}")
print(sum(polars.read_parquet(hub.open(path)).height for path in paths))
""",
    "DuckDB": """
import duckdb
with duckdb.connect(config={"autoinstall_known_extensions": False, "home_directory": os.environ["HF_HOME"]}) as duck:
    duck.execute("SET enable_progress_bar = false")
    duck.register_filesystem(hub)
    print(len(duck.execute(f"SELECT * FROM 'hf://datasets/{repo}/{files}'").fetchall()))
""",
}
"""Each prints how many rows it found, which is one a file."""


def reading(reader: str, layout: str) -> Side:
    """Load one small key, then everything; measures the requests of each of KINDS: `key_resolve`, `all_tree`, …"""

    def side(workspace: Workspace) -> Measured:
        made = workspace.shared(lambda root, scale: repo_to_read(root, scale, layout), f"a repo to read, {layout}")
        files = {key: len(file_names(layout, number)) for number, key in enumerate(keys_of(workspace.scale))}
        key, opened = list(files)[-1], "*" if layout == FOLDED else SAMPLED
        there = sum(files[each] for each in files if each.startswith(opened[:-1]))
        with running_hub(made, arguments=XET) as hub:
            one = _requests(workspace, hub, (reader, key, key), files[key])
            everything = _requests(workspace, hub, (reader, "", opened), there)
        everything[Endpoint.RESOLVE] *= sum(files.values()) / there
        scopes = {"key": one, "all": everything}
        return {f"{scope}_{kind}": count for scope, counts in scopes.items() for kind, count in counts.items()}

    return side


def _requests(workspace: Workspace, hub: RunningHub, what: tuple[str, str, str], files: int) -> Measured:
    """The requests by kind of a reader that loads a config or, if that is empty, the files of some keys."""
    reader, config, keys = what
    hub.reset_counts()
    with workspace.folder() as scratch:
        environment = environment_of(scratch, {**hub.environment, "HF_UPDATE_DOWNLOAD_COUNTS": "0"})
        rows = run([PYTHON, "-c", _BEGIN + READERS[reader], REPO, config, f"language={keys}/*.parquet"], environment)
    if int(rows) != files:
        raise SideError(f"{reader} found {int(rows)} rows of {keys}, not {files}")
    counts = hub.counts().requests
    return {kind: float(counts[kind]) for kind in KINDS}


def repo_to_read(root: Path, scale: Scale, layout: str) -> None:
    """Write the folder of a Hub with one repo, which has a dataset card and all files of a layout, with a row each."""
    with running_hub(root, arguments=XET) as hub:
        run([PYTHON, "-c", _SEED, REPO], environment_of(root / "client", hub.environment))
    repo, keys = Repos(root).get(REPO), keys_of(scale)
    seed = repo.head.files["seed.parquet"]
    facts = CardFacts(TABLE, REPO, dict.fromkeys(keys, KeyFacts()), (), CHUNKS, CHUNKS, None, CHUNKS, is_folded=True)
    files = {CARD: put_regular(CARD, make_card(facts).encode(), Content(root)).file}
    for number, key in enumerate(keys):
        files |= {f"{key_folder(TABLE, key)}/{name}": seed for name in file_names(layout, number)}
    repo.head.apply(files, len(repo.commits) + 1)
    repo.add_commit(Commit("1" * 40, "All files", "", HF_USER, LONG_AGO, files))


def keys_of(scale: Scale) -> list[str]:
    """The keys of the table, the small ones last."""
    return choose_keys(TABLE, scale.huge.keys)


def file_names(layout: str, number: int) -> list[str]:
    """The data files of the key with this number. Half folded they are as many as they ever are: a block is missing."""
    if layout == PACKED:
        return [f"chunk_{chunk}.parquet" for chunk in range(CHUNKS)]
    if layout == FOLDED:
        parts = ["0-63", f"64-{CHUNKS - 1}"] if number < LARGE_KEYS else [f"0-{CHUNKS - 1}"]
        return [f"chunk_{part}.parquet" for part in parts]
    unfolded = CHUNKS // BLOCK * BLOCK - BLOCK
    blocks = [f"chunk_{first}-{first + BLOCK - 1}.parquet" for first in range(0, unfolded, BLOCK)]
    return [*blocks, *(f"chunk_{chunk}.parquet" for chunk in range(unfolded, unfolded + BLOCK - 1))]
