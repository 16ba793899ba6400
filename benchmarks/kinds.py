"""Pictures of many kinds that no photograph detector is trained on: drawn on the spot, or shipped by libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from corit.images.picture import Picture
from corit.seeding import generator
from corit.world.miniature import Miniature, MiniatureSpec

Maker = Callable[[int], Picture]
SIDE = 384
WORDS = """the picture of a face shows light and skin under an even sky while rivers carry sand to the sea and engineers
count frames of video by hand every number has a source and each source has a date we measure first and speak later"""
SCIENCE = ("cell", "hubble_deep_field", "immunohistochemistry", "microaneurysms", "moon", "retina")
TEXTURES = ("brick", "grass", "gravel")


def drawn_face(i: int) -> Picture:
    """Draw a face of the miniature world."""
    return _world().load(_world().samples[i])


@lru_cache(1)
def _world() -> Miniature:
    return Miniature(MiniatureSpec(kinds=(), train=60, pictures=1), ["train"])


def text_page(i: int) -> Picture:
    """Set a page of text in one of three typefaces."""
    rng = generator("text page", i)
    page, font = Image.new("RGB", (SIDE, SIDE), _grey(rng, 235, 256)), _font(i, int(rng.integers(11, 22)))
    draw = ImageDraw.Draw(page)
    height = int(font.size * 1.4)
    for y in range(20, SIDE - 20 - height, height):
        if rng.random() < 0.9:
            draw.text((24, y), _line(rng, int(5000 / font.size**1.6)), font=font, fill=_grey(rng, 0, 60))
    return Picture(np.array(page))


def chart(i: int) -> Picture:
    """Plot random numbers as lines, bars, points or a heat map."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rng, figure = generator("chart", i), Figure(figsize=(4, 4), dpi=96)
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    if i % 4 == 0:
        axes.plot(rng.normal(size=(60, 3)).cumsum(0))
    elif i % 4 == 1:
        axes.bar(range(8), rng.uniform(1, 9, 8), color=f"C{i % 10}")
    elif i % 4 == 2:
        axes.scatter(rng.normal(size=80), rng.normal(size=80), c=rng.uniform(size=80))
    else:
        axes.imshow(rng.uniform(size=(8, 8)))
    axes.set(title=_line(rng, 3), xlabel=_line(rng, 1), ylabel=_line(rng, 1))
    canvas.draw()
    return Picture(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def screenshot(i: int) -> Picture:
    """Draw a window with a title bar, a list, a form and buttons."""
    rng = generator("screenshot", i)
    screen, size = Image.new("RGB", (SIDE * 3 // 2, SIDE), _grey(rng, 225, 250)), int(rng.integers(11, 15))
    draw, font, accent = ImageDraw.Draw(screen), _font(0, size), _colour(rng)
    draw.rectangle((0, 0, screen.width, 30), fill=accent)
    draw.text((10, 8), _line(rng, 3), font=font, fill="white")
    draw.rectangle((0, 30, 150, SIDE), fill=_grey(rng, 200, 225))
    for y in range(44, SIDE - 20, 26):
        draw.text((12, y), _line(rng, 2), font=font, fill="black")
    for y in range(50, SIDE - 90, 44):
        draw.text((170, y), _line(rng, 2), font=font, fill="black")
        draw.rectangle((170, y + 17, 540, y + 38), fill="white", outline="grey")
        draw.text((176, y + 20), _line(rng, 4), font=font, fill=(90, 90, 90))
    for x in (330, 440):
        draw.rounded_rectangle((x, SIDE - 50, x + 96, SIDE - 20), 6, fill=accent)
        draw.text((x + 14, SIDE - 43), _line(rng, 1), font=font, fill="white")
    return Picture(np.array(screen))


def drawing(i: int) -> Picture:
    """Draw a landscape with houses, trees and a sun in flat colours."""
    rng = generator("drawing", i)
    sheet = Image.new("RGB", (SIDE, SIDE), _light(rng))
    draw, ground = ImageDraw.Draw(sheet), int(rng.integers(200, 300))
    draw.rectangle((0, ground, SIDE, SIDE), fill=_colour(rng))
    x, y = rng.integers(20, 320, 2)
    draw.ellipse((x, y // 4, x + 50, y // 4 + 50), fill="yellow", outline="orange", width=3)
    for _ in range(int(rng.integers(2, 6))):
        x, width = (int(v) for v in rng.integers((0, 40), (300, 110)))
        draw.rectangle((x, ground - width, x + width, ground + 20), fill=_colour(rng), outline="black", width=3)
        roof = [(x - 8, ground - width), (x + width // 2, ground - 2 * width), (x + width + 8, ground - width)]
        draw.polygon(roof, fill=_colour(rng), outline="black")
    for _ in range(int(rng.integers(1, 6))):
        x, height = (int(v) for v in rng.integers((0, 60), (360, 140)))
        draw.line((x, ground + 30, x, ground - height), fill="saddlebrown", width=8)
        draw.ellipse((x - 35, ground - height - 40, x + 35, ground - height + 30), fill="forestgreen", outline="black")
    return Picture(np.array(sheet))


def radiograph(i: int) -> Picture:
    """Simulate a radiograph: the attenuation of a chest of ellipsoids, its ribs, spine and lungs."""
    rng = generator("radiograph", i)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    depth = _ellipsoid(x, y, 0, 0.1, rng.uniform(0.75, 0.9), 1.1)
    for side in (-1, 1):
        depth -= 0.7 * _ellipsoid(x, y, side * rng.uniform(0.36, 0.42), -0.05, 0.28, rng.uniform(0.55, 0.7))
    depth += 0.5 * _ellipsoid(x, y, 0.12, 0.2, 0.28, 0.3) + 0.5 * np.exp(-((x / 0.07) ** 2))
    for centre in np.arange(-0.7, 0.7, rng.uniform(0.15, 0.2)):
        rib = y - centre - 0.25 * np.abs(x) + 0.6 * x**2
        depth += 0.18 * np.exp(-((rib / 0.03) ** 2)) * (np.abs(x) < 0.78)
    film = 255 * (1 - np.exp(-1.3 * depth)) + rng.normal(0, 3, x.shape)
    film = cv2.GaussianBlur(film, (0, 0), 1.2).clip(0, 255).astype(np.uint8)
    return Picture(np.repeat(film[..., None], 3, axis=2))


def science(i: int) -> Picture:
    """Take a crop of a picture through a microscope, a telescope or an ophthalmoscope."""
    return _crop("science", SCIENCE, i)


def texture(i: int) -> Picture:
    """Take a crop of a wall, grass or gravel."""
    return _crop("texture", TEXTURES, i)


def painted(picture: Picture) -> Picture:
    """Return a photograph as painted with smooth strokes of few colours."""
    return Picture(cv2.stylization(picture.pixels, sigma_s=60, sigma_r=0.5), picture.landmarks, aligned=picture.aligned)


def sketched(picture: Picture) -> Picture:
    """Return a photograph as drawn with a pencil."""
    grey, _ = cv2.pencilSketch(picture.pixels, sigma_s=60, sigma_r=0.07, shade_factor=0.05)
    return Picture(np.repeat(grey[..., None], 3, axis=2), picture.landmarks, aligned=picture.aligned)


KINDS: Mapping[str, Maker] = {
    "drawn faces": drawn_face,
    "drawings": drawing,
    "charts": chart,
    "text pages": text_page,
    "screenshots": screenshot,
    "radiographs": radiograph,
    "science": science,
    "textures": texture,
}


@lru_cache(16)
def _shipped(name: str) -> np.ndarray:
    from skimage import color, data

    pixels = getattr(data, name)()
    return pixels if pixels.ndim == 3 else color.gray2rgb(pixels)


def _crop(kind: str, names: tuple[str, ...], i: int) -> Picture:
    pixels, rng = _shipped(names[i % len(names)]), generator(kind, i)
    edge = int(min(pixels.shape[:2]) * rng.uniform(0.5, 0.9))
    y, x = (int(rng.integers(0, n - edge + 1)) for n in pixels.shape[:2])
    crop = pixels[y : y + edge, x : x + edge]
    return Picture(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC if edge < SIDE else cv2.INTER_AREA))


def _ellipsoid(x: np.ndarray, y: np.ndarray, x0: float, y0: float, a: float, b: float) -> np.ndarray:
    """The thickness of an ellipsoid along the beam."""
    thickness: np.ndarray = np.sqrt(np.clip(1 - ((x - x0) / a) ** 2 - ((y - y0) / b) ** 2, 0, None))
    return thickness


@lru_cache(64)
def _font(number: int, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    names = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / f"{names[number % 3]}.ttf"), size)


def _line(rng: np.random.Generator, words: int) -> str:
    return " ".join(rng.choice(WORDS.split(), max(1, words)))


def _grey(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    value = int(rng.integers(low, high))
    return value, value, value


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in rng.integers(40, 230, 3))
    return red, green, blue


def _light(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in rng.integers(200, 256, 3))
    return red, green, blue
