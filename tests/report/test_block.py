"""The block of progress: aligned, as wide as the terminal, with which of how many and the time that is left."""

import io
from threading import Event

import pytest
from rich.console import Console

from wikidata.config import Table
from wikidata.report import block as blocks
from wikidata.report.block import ProgressBlock
from wikidata.upload.progress import Progress

NOW = 1000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def monotonic(self) -> float:
        return self.now


class Screen(io.StringIO):
    """What is written to it, and whether some words have been `shown`."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words, self.shown = words, Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.words in self.getvalue():
            self.shown.set()
        return written


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ours = Clock()
    monkeypatch.setattr(blocks, "time", ours)
    return ours


def drawn(block: ProgressBlock) -> list[str]:
    with block.console.capture() as capture:
        for line in block._lines():  # noqa: SLF001 - what rich draws
            block.console.print(line)
    return [line.rstrip() for line in capture.get().splitlines()]


def block_of(width: int, clock: Clock) -> ProgressBlock:
    """Chunk 7, the second of three, of which labels are half uploaded, and links wait."""
    block = ProgressBlock(Console(file=io.StringIO(), width=width, color_system=None))
    block.set_agenda({"chunk 3": 10, "chunk 7": 20, "chunk 9": 30}, list(Table))
    block.take_up("chunk 3")
    clock.now += 100
    block.put_down("chunk 3")
    block.take_up("chunk 7")
    block.change(("chunk 7", Table.LABELS), "uploading", 1500, 4_000_000)
    block.change(("chunk 7", Table.LINKS), "hashing", 0, 0)
    clock.now += 10
    block.advance(("chunk 7", Table.LABELS), Progress(1500, 750, 700, 4_000_000, 2_000_000, True))
    block.wait(("chunk 7", Table.LINKS), 40, "for the quota (2 of 6)")
    block.change(("chunk 7", Table.CLAIMS), "done", 1500, 9_000_000)
    return block


def test_each_table_has_a_row_and_the_heading_says_which_of_how_many(clock: Clock) -> None:
    heading, *rows = drawn(block_of(140, clock))
    assert heading.startswith("chunk 7 (2 of 3 due)  ")
    assert heading.endswith(" 32 %  22 s left, 5 min for all 3")
    assert [row.split(maxsplit=1) for row in rows] == [
        ["labels", "750 of 1,500 files  2.0 MB of 4.0 MB  200.0 kB/s  uploading"],
        ["descriptions", "queued"],
        ["aliases", "queued"],
        ["links", "waiting 40 s for the quota (2 of 6)"],
        ["claims", "1,500 files            9.0 MB              done"],
    ]
    last = ("uploading", "queued", "queued", "waiting", "done")
    assert len({row.index(word) for row, word in zip(rows, last, strict=True)}) == 1


def test_chunks_that_are_pushed_at_once_stand_below_each_other(clock: Clock) -> None:
    block = block_of(140, clock)
    block.take_up("chunk 9")
    lines = drawn(block)
    assert [line.split("  ")[0] for line in (lines[0], lines[6])] == ["chunk 7 (2 of 3 due)", "chunk 9 (3 of 3 due)"]
    assert lines[0].endswith(" 32 %  22 s left")
    assert len(lines) == 12
    block.put_down("chunk 7")
    assert drawn(block) == lines[6:]


@pytest.mark.parametrize(("width", "shown"), [(40, ""), (60, ""), (80, "2.0 MB of 4.0 MB"), (140, "200.0 kB/s")])
def test_no_line_is_wider_than_the_terminal(clock: Clock, width: int, shown: str) -> None:
    lines = drawn(block_of(width, clock))
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 + len(Table)
    assert any(shown in line for line in lines)
    assert sum("uploading" in line for line in lines) == 1


def test_what_waited_goes_on_with_what_it_did(clock: Clock) -> None:
    block = block_of(80, clock)
    clock.now += 41
    assert drawn(block)[4].split() == ["links", "hashing", "for", "51", "s"]


def test_it_is_on_the_screen_while_a_table_is_at_work_and_then_taken_away() -> None:
    screen = Screen("links")
    block = ProgressBlock(Console(file=screen, width=80, force_terminal=True, color_system=None))
    for table in (Table.LABELS, Table.LINKS):
        block.begin(("", table))
    block.end(("", Table.LABELS), "done")
    assert screen.shown.wait(30)  # it is drawn again without being told
    assert block.live is not None
    block.end(("", Table.LINKS), "failed")
    assert block.live is None
    assert screen.getvalue().endswith("\x1b[2K")
