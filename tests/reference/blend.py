"""Self-blending in slow float64 loops: colour of one pixel at a time, warps and blurs by their definitions."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np


def colour(pixel, of):
    """RGB shift, HSV shift, brightness and contrast of one pixel (3) in [0, 255]."""
    r, g, b = (min(max(v + s, 0), 255) / 255 for v, s in zip(pixel, of.rgb_shift, strict=True))
    h, s, v = colorsys.rgb_to_hsv(r, g, b)
    h = (h + of.hsv_shift[0] / 360) % 1
    s, v = (min(max(x + d / 255, 0), 1) for x, d in ((s, of.hsv_shift[1]), (v, of.hsv_shift[2])))
    return [min(max(c * 255 * (1 + of.contrast) + 255 * of.brightness, 0), 255) for c in colorsys.hsv_to_rgb(h, s, v)]


def sharpen(x, alpha, lightness):
    """(1 - alpha) times the picture plus alpha times its sharpened self, with mirrored edges that are not repeated."""
    side, out = len(x), np.zeros_like(x)
    for i in range(side):
        for j in range(side):
            around = sum(x[_mirror(i + a, side), _mirror(j + b, side)] for a in (-1, 0, 1) for b in (-1, 0, 1))
            sharp = (8 + lightness + 1) * x[i, j] - around
            out[i, j] = (1 - alpha) * x[i, j] + alpha * sharp
    return out


def appearance(pixels, of):
    """S's colour part and its change of resolution, (S, S, 3) uint8."""
    x = np.array([[colour(p.astype(float), of) for p in row] for row in pixels])
    if of.resolution == "sharpen":
        x = sharpen(x, of.sharpen_alpha, of.sharpen_lightness)
    else:
        x = coarse(x, {"down2": 2, "down4": 4}[of.resolution])
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def moved_mask(mask, of):
    """The mask (S, S) shifted and resized about the centre: each pixel looked up where it came from, zero outside."""
    side, centre = len(mask), (len(mask) - 1) / 2
    out = np.zeros(mask.shape)
    for y in range(side):
        for x in range(side):
            u = (x - of.translate[0] * side - centre) / of.scale + centre
            v = (y - of.translate[1] * side - centre) / of.scale + centre
            out[y, x] = _bilinear(mask, v, u)
    return out


def soften(mask, of):
    """At the drawn size, scaled from 256 px: blur, keep what stayed full, blur again; scaled back, times the ratio."""
    ratio = len(mask) / 256
    w, h = (round(s * ratio) for s in of.mask_side)
    first, second = (nearest_odd(k * ratio) for k in (of.first_blur, of.second_blur))
    m = gaussian(resized(mask.astype(float), w, h), first, 0.3 * ((first - 1) * 0.5 - 1) + 0.8)
    m = np.where(m < m.max() * (1 - 1e-4), 0.0, 1.0 * m)
    m = gaussian(m, second, of.second_sigma * ratio)
    return of.ratio * resized(m / m.max(), len(mask), len(mask))


def nearest_odd(value):
    return min(range(1, 100, 2), key=lambda k: abs(k - value))


def resized(m, w, h):
    """Bilinear, pixels being areas: what lies beyond the outermost centres is as they are."""

    def along(rows, size):
        at = np.clip((np.arange(size) + 0.5) * len(rows) / size - 0.5, 0, len(rows) - 1)
        low = np.minimum(at.astype(int), len(rows) - 2)
        share = (at - low).reshape(-1, *[1] * (rows.ndim - 1))
        return rows[low] * (1 - share) + rows[low + 1] * share

    return np.swapaxes(along(np.swapaxes(along(m, h), 0, 1), w), 0, 1)


def coarse(x, factor):
    """Every factor-th pixel, brought back to the picture's size."""
    h, w = x.shape[:2]
    rows, columns = (np.arange(n // factor) * n // (n // factor) for n in (h, w))
    return resized(x[rows][:, columns].astype(float), w, h)


def gaussian(m, size, sigma):
    """A separable Gaussian window of `size` taps, mirrored at the edges."""
    taps = [np.exp(-((k - size // 2) ** 2) / (2 * sigma**2)) for k in range(size)]
    taps = np.array(taps) / sum(taps)
    rows, columns = (
        np.array([[_mirror(i + k - size // 2, n) for k in range(size)] for i in range(n)]) for n in m.shape
    )
    once = np.array([taps @ m[r] for r in rows])
    return np.array([taps @ once.T[r] for r in columns]).T


def blend(m, source, target):
    """M * S(x) + (1 - M) * x, rounded, pixel by pixel; the target itself where M is zero."""
    out = target.copy()
    for i, j in zip(*np.nonzero(m), strict=True):
        for c in range(3):
            out[i, j, c] = round(m[i, j] * float(source[i, j, c]) + (1 - m[i, j]) * float(target[i, j, c]))
    return out


def _mirror(i, n):
    """Index i of a row of n that is mirrored about its first and last element."""
    i = abs(i) % (2 * n - 2)
    return min(i, 2 * n - 2 - i)


def _bilinear(m, v, u):
    y, x = int(np.floor(v)), int(np.floor(u))
    total = 0.0
    for a, wy in ((y, 1 - (v - y)), (y + 1, v - y)):
        for b, wx in ((x, 1 - (u - x)), (x + 1, u - x)):
            if 0 <= a < len(m) and 0 <= b < len(m):
                total += wy * wx * float(m[a, b])
    return total


def moved_pixels(pixels, of):
    """A picture moved as its mask; beyond its edges it is mirrored."""
    margin = len(pixels) // 2
    index = [_mirror(k, len(pixels)) for k in range(-margin, len(pixels) + margin)]
    wide = pixels[index][:, index].astype(float)
    shift = replace(of, translate=tuple(t * len(pixels) / len(wide) for t in of.translate))
    whole = np.stack([moved_mask(wide[..., c], shift) for c in range(3)], -1)
    return whole[margin : margin + len(pixels), margin : margin + len(pixels)]


def elastic(mask, of, strength, sigma):
    """The mask displaced by blurred noise of the draw's seed; strength and sigma are those of a 256-px crop."""
    side = len(mask)
    ratio = side / 256
    noise = np.random.Generator(np.random.PCG64(of.elastic_seed)).uniform(-1, 1, (2, side, side))
    # A blur averages over an area of sigma^2: what is left shrinks with the crop's side, and lengths do so as well.
    taps = 2 * round(4 * sigma * ratio) + 1
    dx, dy = (gaussian(n, taps, sigma * ratio) * strength * ratio * ratio for n in noise)
    return np.array([[_bilinear(mask, y + dy[y, x], x + dx[y, x]) for x in range(side)] for y in range(side)])
