"""Pictures of a pack one after another: those of the folder that it was made from."""

import numpy as np
import pytest
from PIL import Image

from narrows.data.packs.pack import pack
from narrows.data.packs.pictures import PackedPictures
from narrows.data.readers.picture_stream import stream_pictures
from narrows.data.share import Share
from narrows.errors import DataError


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for k in range(5):
        pixels = generator.integers(0, 256, (4 + k, 5, 3)[: 2 + k % 2]).astype(np.uint8)
        path = tmp_path / "in" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "in" / "a" / "broken.png").write_bytes(b"none")
    pack(tmp_path / "in", tmp_path / "x.tar", check=False)
    return tmp_path / "in"


def facts(pictures):
    return [(p.name, p.mode, p.pixels.shape, p.pixels.tobytes()) for p in pictures]


def test_pictures_of_a_pack_are_those_of_its_folder(folder):
    skipped = []
    packed = PackedPictures(folder.with_name("x.tar"))
    assert len(packed) == 6
    streamed = facts(packed.stream(skip=lambda *row: skipped.append(row)))
    assert streamed == facts(stream_pictures(folder))
    assert [name for name, _ in skipped] == ["a/broken.png"]
    assert facts(packed.stream(grey=True, size=3)) == facts(
        stream_pictures(folder, grey=True, size=3)
    )
    with pytest.raises(DataError, match=r"a/broken\.png cannot be read"):
        list(packed.stream(strict=True))


def test_shares_of_a_pack_are_its_pictures(folder):
    shares = [PackedPictures(folder.with_name("x.tar"), share=Share(i, 4)) for i in range(1, 5)]
    joined = [fact for share in shares for fact in facts(share.stream())]
    assert joined == facts(stream_pictures(folder))
    assert [share.span.first for share in shares if share.span] == [0, 1, 3, 4]
