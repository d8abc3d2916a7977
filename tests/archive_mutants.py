"""Archives and pixel models that are a little wrong, with checksums made right again.

archive_mutants   an archive whose index says something else, whose blocks have other bytes, or
                  whose model is another; all checksums are right, but for those of pixels
model_mutants     a pixel model of other options, or of other tensors, with its probe if it has one
"""

import json
import random
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from mutants import bytes_mutants, json_mutants
from narrows.codec import general
from narrows.codec.archive import BEGINNING
from narrows.codec.binary import leb128
from narrows.codec.index import DIGEST, INSIDE, TYPES, read_index
from narrows.codec.model_bytes import MAGIC, VERSION, from_bytes, to_bytes
from narrows.codec.pixel_model import PixelModel
from narrows.errors import DataError

Plain = dict[str, Any]
Parts = tuple[Plain, list[bytes], bytes]  # what the index says, the blocks, the model


def archive_mutants(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` mutants of an archive: half in the index, the others in a block or in the model."""
    chance = random.Random(seed)
    plain, blocks, model = parts_of(content)
    wrong = json_mutants(plain, count, seed)
    for said in wrong:
        place = chance.random()
        mutant = list(blocks)
        other = model
        if place < 0.3 and blocks:
            said, number = json.loads(json.dumps(plain)), chance.randrange(len(blocks))
            mutant[number] = next(bytes_mutants(blocks[number], 1, chance.randrange(2**32)))
            said["blocks"][number][2] = len(mutant[number])
        elif place < 0.5 and model:
            said, other = plain, next(model_mutants(model, 1, chance.randrange(2**32)))
        yield joined(said, mutant, other)


def parts_of(content: bytes) -> Parts:
    """What an archive says of itself as JSON, its blocks, and the model if it is inside."""
    length = int.from_bytes(content[-8:-4], "little")
    index = read_index(content[-8 - length : -8])
    place, blocks = len(BEGINNING), []
    for entry in index.blocks:
        blocks.append(content[place : place + entry.length])
        place += entry.length
    plain: Plain = {
        "mode": index.mode,
        "model": index.model,
        "digest": index.model_digest.hex(),
        "forms": [[form.images, TYPES.index(form.dtype), list(form.shape)] for form in index.forms],
        "more forms": 0,
        "limits": [index.tile, index.area],
        "blocks": [[entry.method, entry.lanes, entry.length, entry.crc] for entry in index.blocks],
        "more blocks": 0,
        "extras": json.loads(index.extras or b"null"),
    }
    return plain, blocks, content[place : place + index.model_length]


def joined(plain: Plain, blocks: list[bytes], model: bytes) -> bytes:
    """The archive that says this; what is no number counts as one."""
    said = {"mode": 0, "model": 0, "digest": "", "forms": [], "limits": [], "blocks": [], **plain}
    index = bytes([_number(said["mode"]) & 255, _number(said["model"]) & 255])
    if said["model"] == INSIDE:
        index += leb128(len(model)) + _crc(model)
    if said["model"] == INSIDE + 1:
        index += bytes.fromhex(_text(said["digest"]))[:DIGEST].ljust(DIGEST, b"\0")
    forms, entries = _items(said["forms"]), _items(said["blocks"])
    index += leb128(len(forms) + _number(said.get("more forms")))
    index += b"".join(map(_form, forms))
    index += bytes(_number(limit) & 255 for limit in _items(said["limits"]))
    index += leb128(len(entries) + _number(said.get("more blocks")))
    for number, entry in enumerate(entries):
        index += _entry(entry, blocks[number] if number < len(blocks) else b"")
    index += _extras(said.get("extras"))
    end = index + len(index).to_bytes(4, "little")
    return BEGINNING + b"".join(blocks) + model + end + _crc(BEGINNING + end)


def _form(form: Any) -> bytes:
    images, dtype, shape = (*_items(form), 0, 0, [])[:3]
    sides = _items(shape)
    head = leb128(_number(images)) + bytes([_number(dtype) & 255, len(sides) & 255])
    return head + b"".join(leb128(_number(side)) for side in sides)


def _entry(entry: Any, block: bytes) -> bytes:
    method, lanes, length, crc = (*map(_number, _items(entry)), 0, 0, 0, 0)[:4]
    out = bytes([method & 255]) + (bytes([lanes & 255]) if method & 255 >= 4 else b"")
    out += leb128(length) + _crc(block[:length])
    return out + ((crc & 0xFFFFFFFF).to_bytes(4, "little") if method & 255 else b"")


def _extras(said: Any) -> bytes:
    if said is None:
        return b"\0"
    data = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else _json(said)
    method, packed = general.pack(data)
    return leb128(len(packed)) + bytes([method]) + leb128(len(data)) + packed


def _json(plain: Any) -> bytes:
    return json.dumps(plain).encode()


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _number(value: Any) -> int:
    """A number from 0 on, for any value."""
    if isinstance(value, float):
        value = int(value) if abs(value) < 1e300 else 0
    if isinstance(value, (str, list, dict)):
        value = len(value)
    return max(0, int(value or 0))


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) == 2 * DIGEST else ""


# -- pixel models ----------------------------------------------------------------------------------


def model_mutants(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` mutants of a pixel model: of its options, of the list of its tensors, of these."""
    chance = random.Random(seed)
    options, tensors = from_bytes(content)
    wrong = json_mutants(options, count, seed)
    for said in wrong:
        place = chance.random()
        if place < 0.2:
            yield _relisted(content, chance)
            continue
        mutant = dict(tensors)
        if place < 0.7:
            said = options
            for _ in range(chance.choice((1, 1, 3))):
                chance.choice(TENSOR_FAULTS)(mutant, chance.choice(list(mutant or tensors)), chance)
        yield with_probe(said, mutant)


def with_probe(options: Plain, tensors: dict[str, np.ndarray]) -> bytes:
    """The file of a model, with the probe that belongs to it, if it is a model at all."""
    options = dict(options)
    options.pop("tensors", None)
    try:
        options["probe"] = PixelModel(options, tensors).head.probe()
    except (DataError, ArithmeticError, LookupError, TypeError, ValueError, MemoryError):
        options.setdefault("probe", 0)
    return to_bytes(options, tensors)


def _relisted(content: bytes, chance: random.Random) -> bytes:
    """A model whose list of tensors is not that of its tensors, or whose JSON is something else."""
    options, tensors = from_bytes(content)
    listed = [[name, tensor.dtype.name, list(tensor.shape)] for name, tensor in tensors.items()]
    said = next(json_mutants({**options, "tensors": listed}, 1, chance.randrange(2**32)))
    text, values = _json(said), b"".join(tensor.tobytes() for tensor in tensors.values())
    body = leb128(len(text)) + text + values
    method, packed = general.pack(body)
    head = MAGIC + bytes([VERSION, method]) + leb128(len(body)) + packed
    return head + _crc(head)


def _remove(tensors: dict[str, np.ndarray], name: str, chance: random.Random) -> None:
    tensors.pop(name, None)


def _exchange(tensors: dict[str, np.ndarray], name: str, chance: random.Random) -> None:
    other = chance.choice(list(tensors))
    if name in tensors:
        tensors[name], tensors[other] = tensors[other], tensors[name]


def _reshape(tensors: dict[str, np.ndarray], name: str, chance: random.Random) -> None:
    value = np.atleast_1d(tensors.get(name, np.zeros((2, 2), np.int64)))
    shaped = (
        value.T, value.ravel(), value[None], value[..., None], value[:-1], value[..., :-1], value[:1],
        value[:0], np.zeros((), np.int64), np.concatenate([value, value]), np.repeat(value, 9, -1),
        np.zeros((3000, *value.shape[1:]), np.int64), value[::-1], value.reshape(1, 1, -1),
    )  # fmt: skip
    tensors[name] = chance.choice(shaped)


def _change(tensors: dict[str, np.ndarray], name: str, chance: random.Random) -> None:
    value = tensors.get(name, np.zeros((2, 2), np.int64)).copy()
    number = chance.choice((0, 1, -1, 127, -128, 1023, 2**15, -(2**24), 2**31 - 1, -(2**31)))
    if value.size and chance.random() < 0.5:
        value.flat[chance.randrange(value.size)] = number
        tensors[name] = value
    else:
        tensors[name] = np.clip(chance.choice((value * 0 + number, -value, value * 1000)), *INT32)


INT32 = (-(2**31), 2**31 - 1)
TENSOR_FAULTS = (_remove, _exchange, _reshape, _reshape, _change, _change, _change)
