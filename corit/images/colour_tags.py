"""Read what files state of their colours besides ICC profiles: code points of H.273 (CICP), and PNG's chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from corit.images.colour_space import BT709, BT2020, DCI_P3, DISPLAY_P3, PEAK, SRGB, Chromaticities, ColourSpace
from corit.images.signatures import BRAND, PNG

# H.273: gamuts that differ visibly from sRGB's. The two of BT.601 are shown as BT.709's by players and browsers.
WIDE: dict[int, Chromaticities] = {9: BT2020, 11: DCI_P3, 12: DISPLAY_P3}
HDR = {16: "pq", 18: "hlg"}
LINEAR = 8
UNSHOWN_PRIMARIES, UNSHOWN_TRANSFERS = (10,), (9, 10, 17)  # CIE XYZ; logarithms, and cinema's: no screen shows them
UNSHOWN = "its colours are of a kind that is not for screens ({}), and were taken for sRGB"
USUAL_GAMMA, GAMMA_TOLERANCE = 1 / 2.2, 0.05  # a gAMA this close is sRGB's own, as in libpng's programs
GAMUT_TOLERANCE = 0.005  # of chromaticities: a smaller difference counts as sRGB's gamut
MIN_GAMUT_AREA = 0.01  # of the triangle of primaries: less is a mistake, sRGB's is 0.11
BRIGHTEST = 10_000.0  # nits: what PQ ends at


@dataclass(frozen=True)
class StatedColours:
    """The colours that a file states.

    Attributes:
        space: the colour space.
        note: what a reader of the result must know, "" for nothing.
    """

    space: ColourSpace = SRGB
    note: str = ""


def cicp(primaries: int, transfer: int, peak: float = 0.0) -> StatedColours:
    """Make the colour space of H.273's code points.

    Args:
        primaries: the code of the primaries; 2 where it is not stated.
        transfer: the code of the transfer function; 2 where it is not stated. All SDR curves are shown as sRGB's, as
            browsers and players do.
        peak: nits of the brightest light in the picture, or of its mastering display; 0 where it is not stated.

    Returns:
        The colours; sRGB with a note for code points that no screen shows.
    """
    if primaries in UNSHOWN_PRIMARIES or transfer in UNSHOWN_TRANSFERS:
        return StatedColours(SRGB, UNSHOWN.format(f"primaries {primaries}, transfer {transfer} of H.273"))
    if transfer in HDR:
        gamut = BT709 if primaries == 1 else WIDE.get(primaries, BT2020)
        known = transfer == 16 and 0 < peak <= BRIGHTEST
        return StatedColours(ColourSpace(gamut, HDR[transfer], peak=peak if known else PEAK))
    gamut = WIDE.get(primaries, BT709)
    return StatedColours(ColourSpace(gamut, "gamma", 1.0) if transfer == LINEAR else ColourSpace(gamut))


def of_still(data: bytes, info: dict[Any, Any]) -> StatedColours | None:
    """Read the code points of a picture file; they win over a colour profile.

    Args:
        data: the bytes of the file.
        info: Pillow's `info` of the file, which has `nclx_profile` for HEIC pictures.

    Returns:
        The stated colours; None for a file without code points.
    """
    if data.startswith(PNG):
        return _png(data)
    if (profile := info.get("nclx_profile")) is not None:
        if info.get("icc_profile"):
            return None
        return cicp(int(profile["color_primaries"]), int(profile["transfer_characteristics"]), _heif_peak(data))
    if data[4:8] == BRAND and not info.get("icc_profile"):
        colour = dict(_properties(data)).get(b"colr", b"")
        if colour[:4] == b"nclx" and len(colour) >= 8:
            return cicp(int.from_bytes(colour[4:6]), int.from_bytes(colour[6:8]), _heif_peak(data))
    return None


def of_gamma(info: dict[Any, Any]) -> ColourSpace:
    """Read a PNG file's gAMA and cHRM chunks; they count where the file states nothing else."""
    if "srgb" in info:
        return SRGB
    white_first = info.get("chromaticity")
    gamut: Chromaticities = (*white_first[2:], *white_first[:2]) if white_first else BT709
    if not _sound(gamut) or all(abs(a - b) < GAMUT_TOLERANCE for a, b in zip(gamut, BT709, strict=True)):
        gamut = BT709
    gamma = float(info.get("gamma") or USUAL_GAMMA)
    if abs(gamma / USUAL_GAMMA - 1) < GAMMA_TOLERANCE:
        return ColourSpace(gamut)
    return ColourSpace(gamut, "gamma", 1 / gamma)


def _sound(gamut: Chromaticities) -> bool:
    """Whether the primaries span a triangle, so that they make up a gamut."""
    (rx, ry), (gx, gy), (bx, by), (_, white) = (gamut[k : k + 2] for k in (0, 2, 4, 6))
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry)) / 2
    return area > MIN_GAMUT_AREA and white > 0 and 0 not in (ry, gy, by)


def _png(data: bytes) -> StatedColours | None:
    chunks = dict(_chunks(data))
    coded = chunks.get(b"cICP", b"")
    if len(coded) != 4:
        return None
    peak = int.from_bytes(chunks.get(b"cLLI", b"")[:4]) / 1e4 or int.from_bytes(chunks.get(b"mDCV", b"")[16:20]) / 1e4
    return cicp(coded[0], coded[1], peak)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG file before its picture."""
    at = len(PNG)
    while at + 8 <= len(data) and data[at + 4 : at + 8] != b"IDAT":
        length = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + min(length, 64)]
        at += 12 + length


def _heif_peak(data: bytes) -> float:
    """Nits of the brightest light of a HEIC or AVIF picture, or of its mastering display; 0 where not stated."""
    properties = dict(_properties(data))
    light, display = properties.get(b"clli", b"")[:2], properties.get(b"mdcv", b"")[16:20]
    return float(int.from_bytes(light)) or int.from_bytes(display) / 1e4


def _properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The properties of the primary item of a HEIC or AVIF file."""
    meta = next((d[4:] for kind, d in _boxes(data) if kind == b"meta"), b"")
    boxes = dict(_boxes(meta))
    inner = dict(_boxes(boxes.get(b"iprp", b"")))
    every = list(_boxes(inner.get(b"ipco", b"")))
    primary = boxes.get(b"pitm", b"\0" * 6)
    item = int.from_bytes(primary[4:8] if primary[0] else primary[4:6])
    numbers = set(_associations(inner.get(b"ipma", b""), item))
    # In reverse, so that the first of a kind is what a dictionary keeps.
    yield from ((kind, d) for number, (kind, d) in reversed(list(enumerate(every, 1))) if number in numbers)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, head = int.from_bytes(data[at : at + 4]), 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16]), 16
        end = at + length if length else len(data)
        if end < at + head:
            return
        yield data[at + 4 : at + 8], data[at + head : end]
        at = end


def _associations(data: bytes, item: int) -> Iterator[int]:
    """The numbers of an item's properties in an `ipma` box."""
    if len(data) < 8:
        return
    wide_item, wide_index = data[0] > 0, bool(data[3] & 1)
    at = 8
    for _ in range(int.from_bytes(data[4:8])):
        step = 4 if wide_item else 2
        one, count = int.from_bytes(data[at : at + step]), int.from_bytes(data[at + step : at + step + 1])
        at += step + 1
        if at > len(data):
            return
        for _ in range(count):
            size = 2 if wide_index else 1
            value = int.from_bytes(data[at : at + size])
            at += size
            if one == item:
                yield value & (0x7FFF if wide_index else 0x7F)
