"""Show pictures as a viewer does: the one definition of what is scored, for stills and for video frames.

It is upright (by the EXIF orientation or the display matrix), has square pixels (the width of a video's frames is
scaled by their sample aspect ratio; what a still says of its resolution counts for nothing, as in browsers), is of
full resolution, and sRGB: colour profiles are applied, code points (CICP, nclx), PNG's chunks and wide gamuts are
heeded, and HDR (PQ, HLG) is tone-mapped by BT.2390, see `corit.images.colour_space`. SDR video is shown by its code
values, as browsers and players do. Transparent pixels lie on white. A note says what cannot be shown so. A picture
or frame that states nothing of all this comes as it is stored, bit for bit.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from corit.images import colour_tags, icc
from corit.images.colour_space import SRGB, ColourSpace, to_srgb
from corit.images.signatures import AVIF_BRANDS, BRAND, PNG, brand_of

if TYPE_CHECKING:
    import av

READING = 2  # raised whenever some files decode to other pixels than before; 1 showed stored pixels
SQUARE_TOLERANCE = 0.01  # of the aspect of pixels that stay as they are: programs round ratios, and nobody sees it
MAX_ASPECT = 8.0  # sample aspect ratios beyond it are mistakes; real ones end at 3
FULL_RANGE = 2  # of FFmpeg's colour ranges
ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")

Turn = tuple[bool, bool, bool]  # whether to transpose, then to flip from left to right, then upside down
UPRIGHT: Turn = (False, False, False)
ORIENTATIONS: dict[int, Turn] = {  # of EXIF
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def turn_of(image: Image.Image) -> Turn:
    """Read how the stored pixels of an opened picture become upright.

    Only the orientation in EXIF data counts, not XMP's, as in browsers. EXIF data that cannot be read are ignored.
    Pillow itself turns TIFF files when it loads them.
    """
    held = image.info.get("exif")
    if image.format == "TIFF" or not isinstance(held, bytes):
        return UPRIGHT
    exif = Image.Exif()
    try:
        exif.load(held)
        return ORIENTATIONS.get(exif.get(0x0112, 1), UPRIGHT)
    except (SyntaxError, ValueError, TypeError, KeyError, OverflowError, OSError, struct.error):
        return UPRIGHT


def upright(image: Image.Image, turn: Turn) -> Image.Image:
    """Turn a loaded picture; it keeps its `info`."""
    transposed, mirrored, tumbled = turn
    image = image.transpose(Image.Transpose.TRANSPOSE) if transposed else image
    image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if tumbled else image


def _turn_of(data: bytes) -> Turn:
    with Image.open(BytesIO(data)) as image:
        return turn_of(image)


def shown(pixels: np.ndarray, space: ColourSpace = SRGB, aspect: float = 1.0, turn: Turn = UPRIGHT) -> np.ndarray:
    """Convert stored pixels to what a viewer shows.

    Args:
        pixels: (H, W, 3) uint8 or uint16 R'G'B' of full range.
        space: their colour space.
        aspect: width of a stored pixel over its height.
        turn: how the picture becomes upright.

    Returns:
        (H', W', 3) uint8 sRGB, upright and of square pixels.
    """
    return turned(_widened(to_srgb(pixels, space), square_width(pixels.shape[1], aspect)), turn)


def turned(pixels: np.ndarray, turn: Turn) -> np.ndarray:
    """Turn stored pixels (H, W, 3) of any depth; the result is contiguous."""
    transposed, mirrored, tumbled = turn
    view = pixels.swapaxes(0, 1) if transposed else pixels
    view = view[:, ::-1] if mirrored else view
    return np.ascontiguousarray(view[::-1] if tumbled else view)


def shown_size(width: int, height: int, aspect: float, turn: Turn) -> tuple[int, int]:
    """Return the (width, height) in pixels of what `shown` returns."""
    width = square_width(width, aspect)
    return (height, width) if turn[0] else (width, height)


def square_width(width: int, aspect: float) -> int:
    """Return a picture's width in square pixels; unchanged where its aspect is square, or a mistake."""
    if abs(aspect - 1) < SQUARE_TOLERANCE or not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        return width
    return max(1, round(width * aspect))


def _widened(pixels: np.ndarray, width: int) -> np.ndarray:
    if width == pixels.shape[1]:
        return pixels
    method = cv2.INTER_CUBIC if width > pixels.shape[1] else cv2.INTER_AREA
    return cv2.resize(pixels, (width, pixels.shape[0]), interpolation=method)


def still(image: Image.Image, data: bytes) -> tuple[np.ndarray, str]:
    """Convert a decoded still to what a viewer shows.

    Args:
        image: the picture, upright, of 8 bits (see `eight_bits`), with Pillow's `info` of the file.
        data: the bytes of the file.

    Returns:
        Pixels (H, W, 3) uint8 sRGB, and a note on how they are shown, "" for nothing.
    """
    info = image.info
    stated = colour_tags.of_still(data, info)
    space = stated.space if stated else SRGB
    note = stated.note if stated else ""
    if stated is None and "icc_profile" in info:
        image, note = _managed(image, info["icc_profile"])
    elif stated is None and data.startswith(PNG):
        space = colour_tags.of_gamma(info)
    if image.mode == "LAB":
        image = icc.lab_in_srgb(image)
    return _on_white(image, space, data), note


def _managed(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """The picture in sRGB by its profile; alpha is kept."""
    if not _is_transparent(image):
        return icc.in_srgb(_simple_mode(image), profile)
    front = image.convert("RGBA")
    colours, note = icc.in_srgb(front.convert("L" if image.mode in ("L", "LA", "La") else "RGB"), profile)
    colours.putalpha(front.getchannel("A"))
    return colours, note


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ALPHA or "transparency" in image.info


def _simple_mode(image: Image.Image) -> Image.Image:
    return image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("L" if image.mode == "1" else "RGB")


def _on_white(image: Image.Image, space: ColourSpace, data: bytes) -> np.ndarray:
    """The picture on white, (H, W, 3) uint8, from any of Pillow's modes."""
    alpha = None
    if _is_transparent(image):
        front = image.convert("RGBA")
        if space != SRGB:
            alpha = front.getchannel("A")
        image = front if alpha else Image.alpha_composite(Image.new("RGBA", front.size, "white"), front)
    pixels = np.array(image.convert("RGB"))
    if space == SRGB:
        return pixels
    deep = _deep(data) if space.hdr else None
    pixels = shown(pixels if deep is None or deep.shape != pixels.shape else deep, space)
    if alpha is None:
        return pixels
    front = Image.fromarray(pixels)
    return np.array(Image.composite(front, Image.new("RGB", front.size, "white"), alpha))


def _deep(data: bytes) -> np.ndarray | None:
    """The upright pixels (H, W, 3) uint16 of a file with more than Pillow's 8 bits; None where no decoder gives them.

    In 8 bits the dark steps of HDR are too coarse.
    """
    if data.startswith(PNG):
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
            return None
        return turned(decoded[..., 2::-1], _turn_of(data))
    if data[4:8] != BRAND:
        return None
    return _avif(data) if brand_of(data) in AVIF_BRANDS else _heic(data)


def _avif(data: bytes) -> np.ndarray | None:
    import av

    try:
        with av.open(BytesIO(data), "r", format="mov") as container:
            frame = next(container.decode(video=0))
            codes = frame.to_ndarray(format="rgb48le") * (65535 / full_scale_code(frame))
            return turned(np.minimum(codes, 65535).round().astype(np.uint16), _turn_of(data))
    except (av.FFmpegError, StopIteration, ValueError, IndexError):
        return None  # tiles, of which the decoder returns one: use the 8 bits


def _heic(data: bytes) -> np.ndarray | None:
    try:
        from pillow_heif import open_heif
    except ImportError:
        return None
    opened = open_heif(BytesIO(data), convert_hdr_to_8bit=False)
    decoded = np.asarray(opened)
    if decoded.dtype != np.uint16 or decoded.ndim != 3:
        return None
    spare = 16 - int(opened.info.get("bit_depth", 16))  # low bits that are zero, so that white would not be 65535
    return ((decoded[..., :3] >> spare) * (65535 / ((1 << 16 - spare) - 1))).round().astype(np.uint16)


def eight_bits(image: Image.Image) -> tuple[Image.Image, str]:
    """Convert grey values of more than 8 bits to 8 bits.

    The first of these ranges that fits reaches from black to white:

    - the range that the file declares;
    - 0 to 1, for floating-point values that all lie in it;
    - the whole range of the numbers, for unsigned integers of up to 16 bits;
    - the smallest usual range that holds all values: 0 to 255, 0 to 65535 or, for integers, 0 to their largest number.
      It counts only if the brightest value is at least a quarter of its end;
    - the darkest to the brightest value.

    Args:
        image: a loaded picture. Colours of more than 8 bits are reduced by Pillow.

    Returns:
        The picture, of mode L if it had such grey values, and a note on the range, "" for nothing.
    """
    if not image.mode.startswith("I") and image.mode != "F":
        return image, ""
    tags: Any = getattr(image, "tag_v2", {})
    bits, signed = tags.get(258, (16,))[0], tags.get(339, (1,))[0] == 2
    values = np.asarray(image)
    if image.mode == "I" and bits == 32 and not signed:
        values = values.view(np.uint32)  # Pillow reads them as signed
    values = values.astype(np.float64)
    low, high, note = _range(values[np.isfinite(values)], tags, image.mode == "F", bits, signed)
    level = np.nan_to_num((values - low) / ((high - low) or 1), posinf=1, neginf=0)
    codes = np.clip(level * 255, 0, 255).round().astype(np.uint8)
    grey = Image.fromarray(255 - codes if tags.get(262) == 0 else codes)  # white is zero
    grey.info = {k: v for k, v in image.info.items() if k != "transparency"}
    return grey, note


def _range(values: np.ndarray, tags: Any, floating: bool, bits: int, signed: bool) -> tuple[float, float, str]:
    """The values of black and white, and a note where they follow no convention."""
    darkest, brightest = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    low, high = (float(np.ravel(tags[t])[0]) if t in tags else None for t in (340, 341))
    if high is not None and high > (low or 0):
        return low or 0.0, high, f"grey values from {low or 0:g} (black) to {high:g} (white), as the file declares"
    if floating and darkest >= 0 and brightest <= 1:
        return 0.0, 1.0, ""
    whole = 2.0 ** (bits - signed) - 1
    if bits <= 16 and not signed and not floating:
        return 0.0, whole, ""
    usual = (255.0, 65535.0) if floating else sorted({255.0, min(65535.0, whole), whole})
    fit = next((top for top in usual if brightest <= top), None)
    if fit is not None and darkest >= 0 and brightest >= fit / 4:
        return 0.0, fit, f"grey values from 0 (black) to {fit:.0f} (white), the usual range that holds them"
    return (
        darkest,
        brightest,
        f"grey values from {darkest:g} (black) to {brightest:g} (white), the least and greatest that there are",
    )


def full_scale_code(frame: av.VideoFrame) -> int:
    """Return the 16-bit code that FFmpeg's scaler makes of a full signal of more than 8 bits: it shifts the bits."""
    bits = frame.format.components[0].bits
    if frame.format.is_rgb:
        return 65535
    return ((1 << bits) - 1) << (16 - bits) if frame.color_range == FULL_RANGE else 255 << 8
