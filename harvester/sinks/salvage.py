"""What of a dead process's staged parts can be gone on with.

Every frame that the journal names is compared with its checksum; what follows the first one that is not
whole is dropped, and so are the notes that speak of it. A frame that holds more records than the last good
note knows of is cut: its first records wait in memory again, to be written in the same frame as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from harvester.model import Part
from harvester.sinks.frames import DECODE, SUFFIX, Compression
from harvester.sinks.layout import part_name
from harvester.sinks.open_part import OpenPart
from harvester.sinks.page_journal import Frame, Note, PageJournal


@dataclass(slots=True)
class Salvaged:
    notes: list[bytes] = field(default_factory=list)
    """All that hold, in order."""
    records: int = 0
    """written, by the last note"""
    frames: int = 0
    closed: list[Part] = field(default_factory=list)
    open: OpenPart | None = None
    pending: list[bytes] = field(default_factory=list)
    """Records that are to be written again."""
    pending_notes: list[Note] = field(default_factory=list)
    """Notes that speak of them."""


def salvage(
    folder: Path, journal: PageJournal, compression: Compression, part_size: int, numbers: range | None
) -> Salvaged:
    """Cut files and journal back to what holds. Blocks. Raises `StaleError`, `OSError`.

    `numbers`: of the parts that are this journal's; None: all. A range of ids has a journal of its own.
    """
    saved = Salvaged()
    frames, notes = journal.read()
    suffix = SUFFIX[compression]
    own = None if numbers is None else {part_name(number, suffix) for number in numbers}
    whole = sum(frame.records for frame, _ in _whole(folder, frames, suffix))
    notes = [note for note in notes if note.at <= whole]
    if not notes:
        _remove_others(folder, saved, own)
        if frames:
            journal.rewrite((), ())
        return saved
    saved.notes, saved.records = [note.body for note in notes], notes[-1].at
    kept: list[Frame] = []
    count = 0
    for frame, data in _whole(folder, frames, suffix):
        if count + frame.records > saved.records:
            lines = DECODE[compression](data).split(b"\n")
            saved.pending = lines[: saved.records - count]
            break
        _adopt(saved, folder / part_name(frame.part, suffix), frame, data, part_size)
        count += frame.records
        kept.append(frame)
    if saved.open is not None:
        saved.open.cut()
    saved.frames = len(kept)
    saved.pending_notes = [note for note in notes if note.at > count]
    _remove_others(folder, saved, own)
    journal.rewrite(kept, [note for note in notes if note.at <= count])
    return saved


def _adopt(saved: Salvaged, path: Path, frame: Frame, data: bytes, part_size: int) -> None:
    if saved.open is None:
        saved.open = OpenPart(path, existing=True)
    saved.open.adopt(data, frame.raw_bytes, frame.records)
    if saved.open.raw_bytes >= part_size:
        saved.open.cut()
        saved.closed.append(saved.open.close())
        saved.open = None


def _whole(folder: Path, frames: Sequence[Frame], suffix: str) -> Iterator[tuple[Frame, bytes]]:
    """The frames that lie on disk as the journal swears, up to the first that does not."""
    number, offset = -1, 0
    for frame in frames:
        if frame.part != number:
            number, offset = frame.part, 0
        try:
            with (folder / part_name(number, suffix)).open("rb") as part:
                part.seek(offset)
                data = part.read(frame.size)
        except FileNotFoundError:
            return
        if len(data) != frame.size or crc32(data) != frame.crc:
            return
        offset += frame.size
        yield frame, data


def _remove_others(folder: Path, saved: Salvaged, own: set[str] | None) -> None:
    """Parts that hold nothing any more, and the quarantine, which is written anew from the notes."""
    kept = {part.name for part in saved.closed}
    if saved.open is not None:
        kept.add(saved.open.path.name)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in kept and (own is None or path.name in own or not path.name.startswith("part-")):
            path.unlink()
