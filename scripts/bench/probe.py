"""Ours, one piece at a time: `python -m scripts.bench.probe plan|pack|state FOLDER…`, see `stopwatch.py`.

The folders are the pipeline's (`state`, `results`, `audit`), and an empty one to write to.
"""

import os
from collections.abc import Callable
from pathlib import Path

from scripts.bench.scale import CHUNK
from scripts.bench.stopwatch import main
from wikidata.config import FOLDERS, HF_USER, Settings, Table, target_repos
from wikidata.dataset import packing as pack
from wikidata.dataset.survey import survey
from wikidata.plan import make_plan, pushable_chunk
from wikidata.records.manifest import write_manifest
from wikidata.report.listener import Listener
from wikidata.session import Session
from wikidata.state import get_all_state
from wikidata.upload import staging

PIPELINE_FOLDERS = ("STATE_DIR", "OUTPUT_DIR", "AUDIT_DIR")


def prepare_plan(pipeline: Path, scratch: Path) -> Callable[[], object]:
    """All tables, as a push plans, records and stages them; the Hub at HF_ENDPOINT has nothing."""
    settings = settings_of(pipeline, scratch)
    session = Session(settings, target_repos(HF_USER), Listener())

    def plan_tables() -> None:
        chunk = pushable_chunk(get_all_state(settings.state_dir), CHUNK)

        def plan_table(table: Table) -> None:
            plan = make_plan(session, chunk, table)
            write_manifest(settings.manifest_dir, plan.manifest)
            folder = staging.staging_folder(settings.staging_dir, CHUNK, table)
            staging.lay_out(folder, plan.manifest.folder, plan.missing["path"])

        session.for_each_table(plan_table)

    return plan_tables


def prepare_pack(pipeline: Path, scratch: Path) -> Callable[[], object]:
    """Every key of one table, after it was surveyed."""
    settings, table = settings_of(pipeline, scratch), Table.LABELS
    parts = pushable_chunk(get_all_state(settings.state_dir), CHUNK).parts
    partitions = survey(CHUNK, parts, table, settings.output_dir, settings.audit_dir)

    def pack_table() -> None:
        schema = partitions.schemas[0][0]  # the sample has no other
        bundles = pack.bundle(partitions, schema)
        folder = staging.packed_folder(settings.staging_dir, CHUNK, table)
        pack.pack(bundles, partitions.folder, table, schema, folder, lambda: False)

    return pack_table


def prepare_state(pipeline: Path) -> Callable[[], object]:
    """All state files."""
    return lambda: get_all_state(pipeline / FOLDERS["STATE_DIR"])


def settings_of(pipeline: Path, scratch: Path) -> Settings:
    """What is read comes from `pipeline`, what is written goes to `scratch`."""
    folders = {
        name: str((pipeline if name in PIPELINE_FOLDERS else scratch) / folder) for name, folder in FOLDERS.items()
    }
    return Settings.from_environment(os.environ | folders)


if __name__ == "__main__":
    main({"plan": prepare_plan, "pack": prepare_pack, "state": prepare_state})
