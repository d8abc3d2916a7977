"""Archives, one after the other, in one: joined and verified, with damage refused."""

import numpy as np
import pytest

from narrows.codec.archive import Archive, Writer
from narrows.codec.extras import Extras, PictureKind
from narrows.codec.joins import count_files, join_archives
from narrows.codec.verify import verify_archive
from narrows.errors import DataError
from small_pixel_models import categorical, sparse, strokes

SETS = [list(sparse(40)), [], list(strokes(3, (70, 9))), [np.zeros((4, 4, 3))]]


def written(path, images, model=None, extras=None, **options):
    with open(path, "w+b") as file:
        Writer(file, model, **options).write(images, (extras or Extras(len(images))).to_bytes)
    return path


def images_in(path, model=None):
    with open(path, "rb") as file:
        return list(Archive(file, model).images())


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0), (0, 0, 0)])
def test_joined_archives_have_all_images_in_order(tmp_path, order, apart):
    model = categorical()
    parts = [
        written(tmp_path / f"{number}.nrw", SETS[place], model, apart=apart)
        for number, place in enumerate(order)
    ]
    join_archives(parts, tmp_path / "all.nrw")
    images = images_in(tmp_path / "all.nrw", model if apart else None)
    expected = [image for place in order for image in SETS[place]]
    assert count_files(tmp_path / "all.nrw") == len(expected)
    for image, other in zip(images, expected, strict=True):
        assert image.dtype == other.dtype
        np.testing.assert_array_equal(image, other)
    assert verify_archive(tmp_path / "all.nrw")["images"] == len(expected)


def test_joined_archives_keep_the_names_of_files(tmp_path):
    extras = [Extras(), Extras()]
    for name in ("a.png", "b.png"):
        extras[0].add(name, PictureKind("L"))
    for page in (1, 2):
        extras[1].add("c.tif", PictureKind(), page)
    parts = [written(tmp_path / f"{k}.nrw", strokes(2), extras=extras[k]) for k in range(2)]
    join_archives(parts, tmp_path / "all.nrw")
    assert count_files(tmp_path / "all.nrw") == 3


def test_archives_of_other_models_or_modes_are_not_joined(tmp_path):
    part = written(tmp_path / "a.nrw", sparse(40), categorical())
    others = {
        "another pixel model": written(tmp_path / "b.nrw", sparse(40), categorical(seed=1)),
        "of another mode": written(tmp_path / "c.nrw", strokes(3), categorical(), mode="levels"),
    }
    for words, other in others.items():
        with pytest.raises(DataError, match=words):
            join_archives([part, other], tmp_path / "all.nrw")
        assert not (tmp_path / "all.nrw").exists()


@pytest.mark.parametrize("apart", [False, True])
def test_damaged_archives_are_neither_joined_nor_verified(tmp_path, apart):
    part = written(tmp_path / "a.nrw", sparse(40), categorical(), apart=apart)
    data = part.read_bytes()
    for place in range(0, len(data), len(data) // 20):
        damaged = bytearray(data)
        damaged[place] ^= 1
        part.write_bytes(damaged)
        with pytest.raises(DataError):
            verify_archive(part)
        with pytest.raises(DataError):
            join_archives([part], tmp_path / "all.nrw")
        assert not (tmp_path / "all.nrw").exists()
