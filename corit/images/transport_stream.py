"""Which packets of an MPEG transport stream are damaged, whose demuxer marks others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av import Packet


def remarked(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Move the marks of damage to the packets that are damaged.

    The demuxer marks the packet that it hands out while it reads the damaged one, which is the one before. And it takes
    the end of the first of two joined files for damage, since the second counts its parts anew.

    Args:
        packets: the video's, in the order of the file, one a frame or field.

    Returns:
        The same packets.
    """
    before, marked = None, False
    for packet in packets:
        marked, packet.is_corrupt = packet.is_corrupt, marked
        if before is not None:
            before.is_corrupt = before.is_corrupt and not _joined(before, packet)
            yield before
        before = packet
    if before is not None:
        yield before


def _joined(before: Packet, after: Packet) -> bool:
    """Whether another file begins: the clock goes back. A frame that is cut off there has no packet."""
    return before.dts is not None and after.dts is not None and after.dts < before.dts
