"""Mark the damaged packets of an MPEG transport stream; the demuxer marks their neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av import Packet


def correct_damage_marks(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Move the marks of damage to the packets that are damaged.

    The demuxer marks the packet before the damaged one. This function moves the mark to the damaged packet. Where two
    files are joined, the demuxer also marks the end of the first, since the second restarts the counters; this function
    drops that mark.

    Args:
        packets: the video's packets in the order of the file, one per frame or field.

    Yields:
        The same packets, with corrected marks.
    """
    before, marked = None, False
    for packet in packets:
        marked, packet.is_corrupt = packet.is_corrupt, marked
        if before is not None:
            before.is_corrupt = before.is_corrupt and not _starts_file(before, packet)
            yield before
        before = packet
    if before is not None:
        yield before


def _starts_file(before: Packet, after: Packet) -> bool:
    """Whether another file starts: the clock goes back. A frame that is cut off there has no packet."""
    return before.dts is not None and after.dts is not None and after.dts < before.dts
