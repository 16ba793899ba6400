"""Pictures with colours that are not sRGB's, for tests: profiles, chunks and videos, and slow twins of what they show.

The twins are written from the standards' equations, apart from the package's own code: BT.2100, BT.2390, H.273, IEC
61966-2-1 and the ICC's Bradford adaptation.
"""

from __future__ import annotations

import struct
import zlib

import av
import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = (0.3127, 0.3290)
GAMUTS = {
    "sRGB": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    "Display P3": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    "Adobe RGB": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06),
    "BT.2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
}
SRGB_FROM_BT2020 = np.array(  # BT.2087, annex 2
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def smooth(height=48, width=64):
    """R'G'B' of 0 to 1 (H, W, 3) with many colours and no edges."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x / (width - 1), y / (height - 1), 0.5 + 0.5 * np.sin(x / 9 + y / 7)], -1)


def xyz(x, y):
    return np.array([x / y, 1.0, (1 - x - y) / y])


def to_xyz(gamut, white=D65):
    """The matrix from linear RGB to XYZ."""
    columns = np.stack([xyz(*gamut[k : k + 2]) for k in (0, 2, 4)], 1)
    return columns * np.linalg.solve(columns, xyz(*white))


def srgb_linear(code):
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def srgb_code(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def converted(codes, gamut, linear):
    """Levels of 0 to 255 in sRGB of codes of 0 to 1 in another gamut with its own curve; both have white D65."""
    light = linear(codes) @ (np.linalg.inv(to_xyz(GAMUTS["sRGB"])) @ to_xyz(GAMUTS[gamut])).T
    return 255 * srgb_code(light)


def pq_nits(e):
    p = e ** (32 / 2523)
    return 10000 * (np.maximum(p - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * p)) ** (8192 / 1305)


def pq_code(nits):
    y = (nits / 10000) ** (1305 / 8192)
    return ((107 / 128 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def hlg_nits(e):
    """On a display of 1000 nits: inverse OETF, then OOTF."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(e <= 0.5, e**2 / 3, (np.exp((e - c) / a) + b) / 12)
    return 1000 * (scene @ [0.2627, 0.6780, 0.0593])[..., None] ** 0.2 * scene


def eetf(nits, peak, white=203.0):
    """BT.2390's, value by value."""
    out = np.empty_like(nits)
    top = pq_code(np.array(peak))
    most = pq_code(np.array(white)) / top
    ks = 1.5 * most - 0.5
    for at, value in np.ndenumerate(nits):
        e = min(float(pq_code(value) / top), 1.0)
        if e >= ks:
            t = (e - ks) / (1 - ks)
            e = (2 * t**3 - 3 * t**2 + 1) * ks + (t**3 - 2 * t**2 + t) * (1 - ks) + (-2 * t**3 + 3 * t**2) * most
        out[at] = pq_nits(e * top)
    return out


def tone_mapped(nits, peak=1000.0):
    """Levels of 0 to 255 in sRGB of nits in BT.2020."""
    largest = np.maximum(nits.max(-1, keepdims=True), 1e-9)
    return 255 * srgb_code(nits * eetf(largest, peak) / largest / 203 @ SRGB_FROM_BT2020.T)


def profile(gamut, gamma, space=b"RGB ", kind=b"mntr"):
    """The bytes of an ICC profile (version 2) of three primaries, or of grey, and a power as their curve.

    gamma: a number, or a list of 16-bit values.
    """
    curve = [round(gamma * 256)] if isinstance(gamma, float) else list(gamma)
    curve = struct.pack(f">4s4xI{len(curve)}H", b"curv", len(curve), *curve)
    tags = {b"wtpt": _xyz_tag(D50), b"desc": struct.pack(">4s4xI5s79x", b"desc", 5, b"test\0")}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        ratio = (BRADFORD @ D50) / (BRADFORD @ xyz(*D65))
        columns = (np.linalg.inv(BRADFORD) @ (ratio[:, None] * BRADFORD) @ to_xyz(GAMUTS[gamut])).T
        for name, column in zip("rgb", columns, strict=True):
            tags[f"{name}XYZ".encode()], tags[f"{name}TRC".encode()] = _xyz_tag(column), curve
    return _icc(tags, space, kind, b"XYZ ")


def print_profile(lab):
    """The bytes of a CMYK profile whose perceptual table has a Lab colour (16, 3) for each of the 16 full inks."""
    lab = np.asarray(lab, float)
    codes = np.stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128], 1).round().astype(np.uint8)
    line = bytes(range(256))
    table = struct.pack(">4s4xBBBx9i", b"mft1", 4, 3, 2, *(65536 * np.eye(3, dtype=int)).ravel())
    table += line * 4 + codes.tobytes() + line * 3
    return _icc({b"wtpt": _xyz_tag(D50), b"A2B0": table}, b"CMYK", b"prtr", b"Lab ")


def _xyz_tag(values):
    return struct.pack(">4s4x3i", b"XYZ ", *(round(v * 65536) for v in values))


def _icc(tags, space, kind, pcs):
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x02100000, kind, space, pcs, b"acsp")
    head += struct.pack(">3i", *(round(v * 65536) for v in D50)) + bytes(48)
    return head[:128] + struct.pack(">I", len(tags)) + table + body


def with_chunks(png, *chunks):
    """A PNG file with chunks (name, data) behind its header."""
    made = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return png[:33] + made + png[33:]


def chromaticities(gamut, white=D65):
    """The data of a PNG's cHRM chunk."""
    return struct.pack(">8I", *(round(v * 100000) for v in (*white, *GAMUTS[gamut])))


def frame(codes, pixels="yuv444p10le", matrix=9, full=False):
    """A frame whose planes are computed here, of R'G'B' codes (H, W, 3) of 0 to 1; and the R'G'B' that it stands for.

    matrix: of H.273: 1 is BT.709's, 5 BT.601's, 9 BT.2020's.
    """
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    bits = {"yuv444p": 8, "yuvj444p": 8, "yuv444p10le": 10, "yuv444p12le": 12}[pixels]
    luma = codes @ [kr, 1 - kr - kb, kb]
    chroma = [(codes[..., 2] - luma) / (2 - 2 * kb), (codes[..., 0] - luma) / (2 - 2 * kr)]
    top = (1 << bits) - 1
    if full:
        planes = [luma * top, *(c * top + (1 << bits - 1) for c in chroma)]
    else:
        planes = [
            luma * (219 << bits - 8) + (16 << bits - 8),
            *(c * (224 << bits - 8) + (1 << bits - 1) for c in chroma),
        ]
    planes = [np.clip(p.round(), 0, top) for p in planes]
    made = av.VideoFrame(codes.shape[1], codes.shape[0], pixels)
    for values, plane in zip(planes, made.planes, strict=True):
        held = np.zeros(
            (plane.height, plane.line_size // (1 if bits == 8 else 2)), np.uint8 if bits == 8 else np.uint16
        )
        held[:, : plane.width] = values
        plane.update(held.tobytes())
    made.colorspace, made.color_range = matrix, 2 if full else 1
    y, cb, cr = planes
    y = y / top if full else (y - (16 << bits - 8)) / (219 << bits - 8)
    cb, cr = ((c - (1 << bits - 1)) / (top if full else 224 << bits - 8) for c in (cb, cr))
    r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return made, np.clip(np.stack([r, (y - kr * r - kb * b) / (1 - kr - kb), b], -1), 0, 1)


def write(path, frames, aspect=None, codec="ffv1"):
    """Write frames as they are, with their own tags, and the sample aspect ratio of the whole."""
    first = frames[0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        context = stream.codec_context
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.colorspace, context.color_range = first.colorspace, first.color_range
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        for k, one in enumerate(frames):
            one.pts = k
            container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return path
