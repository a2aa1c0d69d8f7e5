"""What a repo records of itself: the manifests and the columns that lie in its folder `manifests/`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from wikidata.config import Layout
from wikidata.hub.files import RemoteFile
from wikidata.names import (
    REMOTE_COLUMNS,
    Block,
    block_of_remote_manifest,
    one,
    parse_data_file,
    remote_manifest,
)
from wikidata.records.columns import Columns
from wikidata.records.manifest import Manifest


@dataclass(frozen=True)
class Records:
    """What a repo records at a revision.

    `manifests` are those of every chunk, or block of chunks that were folded: the repo's own, and those that only we
    have and that match its files; `listing` is what lies in its folder of manifests; `damaged` says what is wrong with
    which file there, and what to do about it; `fetched` are the blocks whose manifests we lacked, `withdrawn` those
    with receipts of ours that do not match its files.
    """

    manifests: Mapping[Block, Manifest] = field(default_factory=dict)
    columns: Columns | None = None
    listing: Mapping[str, RemoteFile] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    fetched: tuple[Block, ...] = ()
    withdrawn: tuple[Block, ...] = ()

    @property
    def layout(self) -> Layout | None:
        """The layout of the repo's data, as its manifests tell; None if they do not."""
        return self.layout_beside(None)

    def layout_beside(self, chunk: int | None) -> Layout | None:
        """The layout that the manifests of all other chunks tell."""
        for block, manifest in self.manifests.items():
            for path in manifest.files["path"][:1]:
                if (chunk is None or block != one(chunk)) and (file := parse_data_file(path)):
                    return file.layout
        return None

    @property
    def chunks(self) -> set[int]:
        """The chunks that are recorded."""
        return {chunk for block in self.manifests for chunk in block.chunks}

    @property
    def is_compact(self) -> bool:
        """Whether nothing is left to be folded: no two blocks follow each other, or the files are not packed."""
        if self.layout is Layout.FILES:
            return True
        return all(each.last + 1 < following.first for each, following in pairwise(self.manifests))

    @property
    def folders(self) -> set[str]:
        """The folders of keys that its manifests name."""
        paths = (path for manifest in self.manifests.values() for path in manifest.files["path"])
        return {path.partition("/")[0] for path in paths}

    @property
    def unpublished(self) -> dict[str, bytes]:
        """The files of ours that the repo should record, and does not: path → content."""
        files = {remote_manifest(block): manifest.content for block, manifest in self.manifests.items()}
        if self.columns and self.manifests:
            files[REMOTE_COLUMNS] = self.columns.content
        return {path: content for path, content in files.items() if not self.has(path, content)}

    @property
    def obsolete(self) -> list[str]:
        """The manifests in the repo whose chunks are recorded in that of a larger block."""
        there = {path: block for path in self.listing if (block := block_of_remote_manifest(path))}
        return [
            path
            for path, block in there.items()
            if block not in self.manifests and any(each.covers(block) for each in self.manifests)
        ]

    def has(self, path: str, content: bytes) -> bool:
        """Whether the repo records just this."""
        return path in self.listing and self.listing[path].is_content(content)

    def of(self, block: Block) -> list[Manifest]:
        """The manifests that have a chunk of a block."""
        return [manifest for each, manifest in self.manifests.items() if each.meets(block)]

    def replacing(self, old: Iterable[Block], new: Iterable[Manifest], columns: Columns | None) -> "Records":
        """The same with other manifests in the place of some, and columns if there are none yet."""
        manifests = {block: manifest for block, manifest in self.manifests.items() if block not in {*old}}
        manifests |= {manifest.block: manifest for manifest in new}
        return replace(self, manifests=dict(sorted(manifests.items())), columns=self.columns or columns)
