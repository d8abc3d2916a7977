"""A second decoder of archives, slow and plain, written from docs/formats.md: a test of that page.

decode(archive, model) -> the images, one after another; in the mode "codes" an image is its codes
`(D,)`, float32. `model` is the content of the pixel model's file, if the model is not inside.
"""

import bz2
import json
import lzma
import math
import zlib
from bisect import bisect_right
from hashlib import sha256
from io import BytesIO

import numpy as np

from second_heads import HEADS

TYPES = ("u1", "<u2", "<i2", "?", "<f2", "<f4", "<f8")
LZMA2 = {"id": lzma.FILTER_LZMA2, "dict_size": 2**23, "lc": 4, "lp": 0, "pb": 0}
UNPACK = (
    bytes,
    lambda packed: zlib.decompress(packed, -15),
    lambda packed: bz2.decompress(b"BZh9" + packed),
    lambda packed: lzma.decompress(packed, lzma.FORMAT_RAW, filters=[LZMA2]),
)


def leb128(file):
    byte = file.read(1)[0]
    return byte if byte < 128 else byte - 128 + 128 * leb128(file)


def crc(content):
    return zlib.crc32(content).to_bytes(4, "little")


def decode(archive, model=b""):  # sections 1 and 9
    place_of_index = len(archive) - 8 - int.from_bytes(archive[-8:-4], "little")
    index = BytesIO(archive[place_of_index:-8])
    assert archive[:5] == b"\x8aNRW\x01"
    assert archive[-4:] == crc(archive[:5] + archive[place_of_index:-4])
    mode, place = index.read(2)
    inside = leb128(index) if place == 1 else 0
    model = archive[place_of_index - inside : place_of_index] if inside else model
    identity = (b"", crc(model), sha256(model).digest()[:16])[place]
    assert index.read(len(identity)) == identity
    body = BytesIO(archive[5 : place_of_index - inside])
    parts, (options, w) = [[]], read_model(model) if place else ({}, {})
    for _ in range(leb128(index)):
        count, (kind, dimensions) = leb128(index), index.read(2)
        shape = [leb128(index) for _ in range(dimensions)]
        parts += [] if count else [[]]
        parts[-1] += [np.zeros(shape, TYPES[kind]) for _ in range(count)]
    logs, images = index.read(2), [image for part in parts for image in part]
    blocks = [block for part in parts for block in blocks_of(part, *logs)]
    assert leb128(index) == len(blocks)
    for tiles in blocks:
        method = index.read(1)[0]
        lanes = 2 ** index.read(1)[0] if method == 4 else 0
        packed = body.read(leb128(index))
        assert index.read(4) == crc(packed)
        if method == 4:
            decode_block(tiles, packed, lanes, options, w)
        else:
            pixels = BytesIO(UNPACK[method](packed))
            for x in tiles:
                x[:] = np.frombuffer(pixels.read(x.nbytes), x.dtype).reshape(x.shape)
        assert method == 0 or index.read(4) == crc(b"".join(x.tobytes() for x in tiles))
    if mode == 1:
        _, method, _ = leb128(index), index.read(1)[0], leb128(index)
        palette = json.loads(UNPACK[method](index.read()))["palette"]
        return [np.array(palette["values"], palette["type"])[image] for image in images]
    if mode == 2:
        step, offset = np.array(options["step"]), np.array(options["offset"])
        return [np.float32(offset + step * (image + w["low"])) for image in images]
    return images


def blocks_of(images, tile_log, area_log):  # section 2
    blocks = [[]]
    for image in (image for image in images if image.size):
        x = image.reshape({1: (1, -1, 1), 2: (*image.shape, 1), 3: image.shape}[image.ndim])
        rows, columns = (-(-side // -(-side // 2**tile_log)) for side in x.shape[:2])
        for r, c in np.ndindex(-(-x.shape[0] // rows), -(-x.shape[1] // columns)):
            tile = x[r * rows : (r + 1) * rows, c * columns : (c + 1) * columns]
            sides = np.array([y.shape[:2] for y in [*blocks[-1], tile]]) + 8
            fits = sides[:, 0].sum() * sides[:, 1].max() <= 2**area_log
            same = all((y.dtype, y.shape[2]) == (x.dtype, x.shape[2]) for y in blocks[-1])
            if blocks[-1] and not (fits and same):
                blocks.append([])
            blocks[-1].append(tile)
    return [block for block in blocks if block]


def read_model(content):  # section 3
    assert (content[:5], content[-4:]) == (b"\x8aNRM\x01", crc(content[:-4]))
    file = BytesIO(content[5:-4])
    method, _ = file.read(1)[0], leb128(file)
    body, w = BytesIO(UNPACK[method](file.read())), {}
    options = json.loads(body.read(leb128(body)))
    for name, kind, shape in options["tensors"]:
        kind = np.dtype(kind).newbyteorder("<")
        values = np.frombuffer(body.read(math.prod(shape) * kind.itemsize), kind)
        w[name] = values.reshape(shape).astype(np.int64)
    return options, w


def decode_block(tiles, packed, lanes, options, w):  # sections 4 and 5
    states = np.frombuffer(packed[: 8 * lanes], "<u8").tolist()
    words = iter(np.frombuffer(packed[8 * lanes :], "<u4").tolist())

    def array(choices, bits):
        """Decode choices, each a number of values and a function value -> start of its interval."""
        values = []
        for n, (count, start) in enumerate(choices):
            rest, slot = divmod(states[n % lanes], 2**bits)
            v = bisect_right(range(count), slot, key=start) - 1
            x = (start(v + 1) - start(v)) * rest + slot - start(v)
            states[n % lanes] = x if x >= 2**31 else 2**32 * x + next(words)
            values.append(v)
        return values

    R = options.get("radius", 1)
    near = [(y, x) for y in range(-R, 1) for x in range(-R, R + 1) if (y, x) < (0, 0)]
    near = np.array(sorted(near, key=lambda d: (d[0] ** 2 + d[1] ** 2, d)))
    padded = [np.pad(tile.astype(np.int64) * 0, ((R, 0), (R, R), (0, 0))) for tile in tiles]
    steps = [np.add.outer(np.arange(x.shape[0]) * (R + 1), np.arange(x.shape[1])) for x in tiles]
    for t in range(max(map(np.max, steps)) + 1):
        pixels = []
        for x, s in zip(padded, steps, strict=True):
            for r, c in np.argwhere(s == t):
                earlier = set(x[R:, R:-R][s < t].ravel().tolist())
                pixels.append(
                    (x[r + R, c + R :], r, c, x[tuple((near + (r + R, c + R)).T)], earlier)
                )
        HEADS[options["head"]](pixels, options, w, array)
    assert (set(states), next(words, None)) == ({2**31}, None)
    for tile, x in zip(tiles, padded, strict=True):
        tile[:] = x[R:, R:-R] - 32768 * (tile.dtype == np.int16)
