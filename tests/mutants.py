"""Files that are a little wrong: mutants of small valid ones, the same for the same seed.

bytes_mutants   bits flipped, bytes cut off, inserted, repeated or swapped, numbers made huge
text_mutants    the same of text, and words of its own format put where they do not belong
json_mutants    values of nested JSON replaced, removed, swapped or nested
zip_mutants     a zip's members mutated and zipped again, so that its checksums are right
"""

import copy
import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 10**18, 10**30)
LIES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1e308, -1e308, 10**18, 2**63, 10**30, "", "x", "auto", "\0", "é" * 300,
    [], {}, [[0]], [None], {"kind": "x"}, float("nan"), float("inf"), [1] * 1000, {"": {}},
)  # fmt: skip
Bytes = Iterator[bytes]


def bytes_mutants(content: bytes, count: int, seed: int = 0) -> Bytes:
    """`count` mutants of the bytes of a file; several faults at once in a third of them."""
    chance = random.Random(seed)
    for _ in range(count):
        mutant = bytearray(content)
        for _ in range(chance.choice((1, 1, 1, 1, 2, 4))):
            chance.choice(BYTE_FAULTS)(mutant, chance)
        yield bytes(mutant)


def _place(mutant: bytearray, chance: random.Random) -> int:
    """A place; half of all are in the first 200 bytes, where headers are, or in the last 200."""
    end = len(mutant)
    if not end:
        return 0
    low, high = chance.choice(((0, end), (0, end), (0, min(end, 200)), (max(0, end - 200), end)))
    return chance.randrange(low, high)


def _flip(mutant: bytearray, chance: random.Random) -> None:
    if mutant:
        mutant[_place(mutant, chance)] ^= 1 << chance.randrange(8)


def _replace(mutant: bytearray, chance: random.Random) -> None:
    if mutant:
        mutant[_place(mutant, chance)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))


def _cut(mutant: bytearray, chance: random.Random) -> None:
    del mutant[_place(mutant, chance) :]


def _remove(mutant: bytearray, chance: random.Random) -> None:
    start = _place(mutant, chance)
    del mutant[start : start + chance.choice((1, 4, 64))]


def _insert(mutant: bytearray, chance: random.Random) -> None:
    start = _place(mutant, chance)
    mutant[start:start] = chance.randbytes(chance.choice((1, 4, 64)))


def _repeat(mutant: bytearray, chance: random.Random) -> None:
    start = _place(mutant, chance)
    mutant[start:start] = mutant[start : start + chance.choice((4, 64, 512))]


def _swap(mutant: bytearray, chance: random.Random) -> None:
    size = chance.choice((1, 2, 4, 8))
    a, b = _place(mutant, chance), _place(mutant, chance)
    if max(a, b) + size <= len(mutant) and abs(a - b) >= size:
        mutant[a : a + size], mutant[b : b + size] = mutant[b : b + size], mutant[a : a + size]


def _huge_integer(mutant: bytearray, chance: random.Random) -> None:
    """A huge integer in binary, in either order of bytes."""
    form = chance.choice(("<I", ">I", "<Q", ">Q", "<H"))
    start, size = _place(mutant, chance), struct.calcsize(form)
    value = chance.choice(HUGE) & (256**size - 1)
    mutant[start : start + size] = struct.pack(form, value)


def _huge_digits(mutant: bytearray, chance: random.Random) -> None:
    """A number in digits is another, huge or below 0."""
    numbers = list(re.finditer(rb"\d+", mutant[:4000]))
    if numbers:
        number = chance.choice(numbers)
        mutant[number.start() : number.end()] = str(chance.choice((*HUGE, 0, -1))).encode()


BYTE_FAULTS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _replace, _replace, _cut, _remove, _insert, _repeat, _swap, _huge_integer,
    _huge_digits,
)  # fmt: skip


def text_mutants(text: str, count: int, seed: int = 0, words: tuple[str, ...] = ()) -> Bytes:
    """`count` mutants of a text: as bytes, and with `words` of its format put anywhere."""
    chance = random.Random(seed)
    plain = bytes_mutants(text.encode(), count, seed)
    for mutant in plain:
        if chance.random() < 0.5:
            yield mutant
            continue
        lines = text.split("\n")
        for _ in range(chance.choice((1, 1, 3))):
            k = chance.randrange(len(lines))
            place = chance.randrange(len(lines[k]) + 1)
            lines[k] = lines[k][:place] + chance.choice(words) + lines[k][place:]
        if chance.random() < 0.3:
            a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
        yield "\n".join(lines).encode("utf-8", "surrogatepass")


def json_mutants(plain: Any, count: int, seed: int = 0) -> Iterator[Any]:
    """`count` mutants of nested JSON, each valid JSON (with NaN and infinity, as Python writes it)."""
    chance = random.Random(seed)
    for _ in range(count):
        mutant = copy.deepcopy(plain)
        for _ in range(chance.choice((1, 1, 1, 2))):
            places = list(_places(mutant))
            if places:
                chance.choice(JSON_FAULTS)(*chance.choice(places), chance, places)
        yield mutant


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of each value in nested JSON."""
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))[:20]
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _lie(holder: Any, key: Any, chance: random.Random, places: list[Any]) -> None:
    holder[key] = copy.deepcopy(chance.choice(LIES))


def _drop(holder: Any, key: Any, chance: random.Random, places: list[Any]) -> None:
    del holder[key]


def _exchange(holder: Any, key: Any, chance: random.Random, places: list[Any]) -> None:
    other, its_key = chance.choice(places)
    holder[key], other[its_key] = copy.deepcopy(other[its_key]), copy.deepcopy(holder[key])


def _nest(holder: Any, key: Any, chance: random.Random, places: list[Any]) -> None:
    value = copy.deepcopy(holder[key])
    holder[key] = [value] if chance.random() < 0.5 else {"kind": value}


def _scale(holder: Any, key: Any, chance: random.Random, places: list[Any]) -> None:
    if isinstance(holder[key], (int, float)):
        holder[key] = chance.choice((-holder[key], holder[key] + 1, holder[key] * 1000, *HUGE))


JSON_FAULTS: tuple[Callable[..., None], ...] = (_lie, _lie, _drop, _exchange, _nest, _scale)


def zip_mutants(content: bytes, count: int, seed: int = 0) -> Bytes:
    """`count` mutants of a zip: every second in its own bytes, the others in one of its members."""
    chance = random.Random(seed)
    with zipfile.ZipFile(io.BytesIO(content)) as stored:
        members = {name: stored.read(name) for name in stored.namelist()}
    for k, mutant in enumerate(bytes_mutants(content, count, seed)):
        if k % 2:
            yield mutant
            continue
        name = chance.choice(list(members))
        inner = next(bytes_mutants(members[name], 1, chance.randrange(2**32)))
        yield zipped({**members, name: inner})


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as stored:
        for name, content in members.items():
            stored.writestr(name, content)
    return out.getvalue()


def as_json(plain: Any) -> bytes:
    return json.dumps(plain).encode("utf-8", "surrogatepass")
