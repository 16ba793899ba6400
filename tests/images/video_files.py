"""Tiny video files for tests: frame k is a flat grey of its own, with some noise so that bytes stand behind it."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
from av.stream import Disposition

from corit.seeding import generator

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}


def grey(k):
    """The level of frame k: no two of the first 20 are near each other."""
    return 20 + 10 * k


def pictures(frames, size=(64, 48)):
    width, height = size
    rng = generator("video", frames)
    for k in range(frames):
        grain = rng.integers(-4, 5, (height, width, 3))
        yield np.clip(grey(k) + grain, 0, 255).astype(np.uint8)


def write(path, frames=20, fps=10.0, shown=None):
    """Write RGB pictures, or `frames` grey ones, as a video of the kind that the suffix says."""
    shown = list(pictures(frames) if shown is None else shown)
    height, width = shown[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), fps, (width, height))
    for pixels in shown:
        writer.write(np.ascontiguousarray(pixels[..., ::-1]))
    writer.release()
    return path


def encode(
    path,
    codec,
    pixels="yuv420p",
    frames=20,
    shown=None,
    start=0,
    muxer=None,
    options=None,
    held=None,
    rate=10,
    times=(),
):
    """Write RGB pictures, or `frames` grey ones, with any codec and format of pixels, the first at `start` frames.

    options: of the codec; held: of the container, whose kind `muxer` names where the suffix does not. times: when each
    is shown, in frames, if it is not one after the other.
    """
    shown = list(pictures(frames) if shown is None else shown)
    with av.open(str(path), "w", format=muxer, container_options=held or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = pixels
        for k, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format=pixels)
            frame.pts = start + (times[k] if times else k)
            frame.time_base = stream.codec_context.time_base or Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def sound(path, seconds=1, cover=False):
    """A file of sound alone, with a picture of its cover if asked."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        picture = container.add_stream("mjpeg", rate=1) if cover else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(next(pictures(1)), format="rgb24").reformat(format="yuvj420p")
            container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        for k in range(seconds * 16000 // 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 1024 * k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut(path, target, share=0.6):
    """The first part of a file's bytes."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def hole(path, target, start=0.5, share=0.05):
    """A file with a part of its bytes overwritten by zeros."""
    data = bytearray(path.read_bytes())
    first, last = (int(len(data) * s) for s in (start, start + share))
    data[first:last] = bytes(last - first)
    target.write_bytes(bytes(data))
    return target


def unseen(path, target, every=4):
    """A VP8 video with a packet more for each so many, of a frame that is not shown: its header says so in a bit."""
    with av.open(str(path)) as source, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        for k, packet in enumerate(p for p in source.demux(video=0) if p.size):
            data = bytes(packet)
            if k and k % every == 0:
                made.mux(_packet(bytes([data[0] & ~0x10]) + data[1:], packet, stream, earlier=1))
            made.mux(_packet(data, packet, stream))
    return target


def _packet(data, like, stream, earlier=0):
    made = av.Packet(data)
    made.pts, made.dts, made.time_base, made.stream = like.pts - earlier, like.dts - earlier, like.time_base, stream
    made.is_keyframe = like.is_keyframe and not earlier
    return made


def damage(path, target, share=0.5):
    """An MP4 file whose last pictures are zeros, index and all else intact."""
    data = bytearray(path.read_bytes())
    start, end = data.find(b"mdat") + 4, data.find(b"moov") - 4
    middle = int(start + share * (end - start))
    data[middle:end] = bytes(end - middle)
    target.write_bytes(bytes(data))
    return target


def front(path, target):
    """The same MP4 with its index (moov) in front, as files for the web have it."""
    data = path.read_bytes()
    at = data.find(b"moov") - 4
    size = int.from_bytes(data[at : at + 4])
    start = data.find(b"mdat") - 4
    moov = bytearray(data[at : at + size])
    table = moov.find(b"stco") + 8
    for entry in range(int.from_bytes(moov[table : table + 4])):
        where = table + 4 + 4 * entry
        moov[where : where + 4] = (int.from_bytes(moov[where : where + 4]) + size).to_bytes(4)
    target.write_bytes(data[:start] + moov + data[start:at] + data[at + size :])
    return target


def turned(path, target, matrix=(0, 1, -1, 0)):
    """The same MP4, held turned by a quarter to the right, or otherwise: the matrix of its track header says so."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    a, b, c, d = (v << 16 for v in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def uneven(path, target, durations):
    """The same MP4 with its frames shown for so many units each, 1,024 to a tenth of a second."""
    data = path.read_bytes()
    at = data.find(b"stts") - 4
    size = int.from_bytes(data[at : at + 4])
    table = struct.pack(">4sII", b"stts", 0, len(durations)) + b"".join(struct.pack(">II", 1, d) for d in durations)
    data = data.replace(b"edts", b"free")  # else the edit list ends the video at its old length
    made = bytearray(data[:at] + (len(table) + 4).to_bytes(4) + table + data[at + size :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        where = made.find(box) - 4
        made[where : where + 4] = (int.from_bytes(made[where : where + 4]) + len(table) + 4 - size).to_bytes(4)
    total = made.find(b"mdhd") + 20
    made[total : total + 4] = sum(durations).to_bytes(4)
    target.write_bytes(made)
    return target


def hidden(path, target, frames):
    """The same MP4 with its first frames hidden by an edit list, as programs trim that do not encode again."""
    data = bytearray(path.read_bytes())
    at = data.find(b"elst") + 16
    data[at : at + 4] = (frames * 1024).to_bytes(4)
    target.write_bytes(data)
    return target
