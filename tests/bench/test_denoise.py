"""The comparison of denoisers: its noise is the noise it says, and its rows are of all ways."""

import numpy as np
import pytest
from PIL import Image

from narrows.bench.denoise import measure, noisy_picture, pictures_of
from narrows.bench.denoise_ways import WAYS, chosen_ways
from narrows.errors import DataError, UnknownName


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pictures, one in grey and one in colour, of 40 x 48."""
    path = tmp_path_factory.mktemp("pictures")
    ramp = np.linspace(40, 200, 48, dtype=np.uint8) * np.ones((40, 1), np.uint8)
    Image.fromarray(ramp).save(path / "a.png")
    Image.fromarray(np.dstack([ramp, ramp[::-1], ramp[:, ::-1]])).save(path / "b.png")
    return str(path)


def test_noise_has_its_strength_belongs_to_its_seed_and_is_not_clipped():
    clean = np.full((200, 200), 0.1, np.float32)
    noisy = noisy_picture(clean, 50, (0, 3))
    assert float((noisy - clean).std()) * 255 == pytest.approx(50, rel=0.02)
    assert noisy.min() < 0
    assert np.array_equal(noisy, noisy_picture(clean, 50, (0, 3)))
    assert not np.array_equal(noisy, noisy_picture(clean, 50, (0, 4)))


def test_each_way_has_a_row_and_the_noisy_picture_is_as_bad_as_its_noise(folder):
    said = []
    ways = chosen_ways(["noisy", "ridge"])
    table = measure([folder], [25, 50], ways, None, 0, said.append)
    assert [(row["sigma"], row["way"]) for row in table] == [
        (sigma, way) for sigma in (25, 50) for way in ways
    ]
    noisy, ridge = table[0], table[1]
    assert noisy["psnr"] == pytest.approx(20 * np.log10(255 / 25), abs=0.3)
    assert ridge["psnr"] > noisy["psnr"] + 5
    assert ridge["bias"] < 3
    assert ridge["seconds per megapixel"] > noisy["seconds per megapixel"] > 0
    assert said == [f"{folder}, σ = {sigma} of 255: 2 pictures" for sigma in (25, 50)]


def test_the_pictures_are_a_folder_s_and_at_most_as_many_as_are_asked(folder):
    pictures = pictures_of(folder)
    assert [picture.shape for picture in pictures] == [(40, 48), (40, 48, 3)]
    assert len(pictures_of(folder, 1)) == 1
    assert all(picture.dtype == np.float32 and picture.max() <= 1 for picture in pictures)


def test_what_does_not_exist_is_refused_with_the_cure(monkeypatch, tmp_path):
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path))
    with pytest.raises(DataError, match="set NARROWS_DATA"):
        pictures_of("bsd68")
    with pytest.raises(UnknownName, match="did you mean 'ridge'"):
        chosen_ways(["rigde"])
    with pytest.raises(DataError, match="there is no model file"):
        chosen_ways(["noisy"], runs=[str(tmp_path / "run")])


def test_every_way_is_described():
    from narrows.bench import denoise_ways

    assert all(f"    {name} " in str(denoise_ways.__doc__) for name in WAYS)
