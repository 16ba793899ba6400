"""Which packets of an MPEG transport stream are damaged, whose demuxer marks others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av import Packet


def remarked(packets: Iterable[Packet], size: int) -> Iterator[Packet]:
    """Move the marks of damage to the packets that are damaged.

    The demuxer marks the packet that it hands out while it reads the damaged one, which is the one before. And it takes
    the end of the first of two joined files for damage, since the second counts its parts anew.

    Args:
        packets: the video's, in the order of the file, one a frame or field.
        size: bytes of the parts that the file consists of.

    Returns:
        The same packets.
    """
    before, marked = None, False
    for packet in packets:
        marked, packet.is_corrupt = packet.is_corrupt, marked
        if before is not None:
            before.is_corrupt = before.is_corrupt and not _joined(before, packet, size)
            yield before
        before = packet
    if before is not None:
        yield before


def _joined(before: Packet, after: Packet, size: int) -> bool:
    """Whether a file that was whole ends between two packets: the clock goes back, and no part is broken off."""
    if before.dts is None or after.dts is None or before.pos is None or after.pos is None:
        return False
    return after.dts < before.dts and (after.pos - before.pos) % size == 0
