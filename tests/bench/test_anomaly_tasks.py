"""Tasks of anomalies: the same seed gives the same images, training and test do not share pixels,
brightness and contrast are affine, and a defect is where its mask says.
"""

import numpy as np
import pytest
from PIL import Image

from narrows.bench import anomaly_tasks as module
from narrows.bench.anomaly_tasks import GROUPS, entries_of, jitter
from narrows.bench.defects import KINDS, VISIBLE, defect
from narrows.errors import DataError

WIDTH, HEIGHT = 300, 90


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Twelve small photographs of noise, whose pixels are darker than 100 left of the border."""
    folder = tmp_path / module.PHOTOS
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 100, (HEIGHT, WIDTH), np.uint8)
        pixels[:, int(module.LEFT * WIDTH) :] += 100
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path))


def bytes_of(task):
    return [part.tobytes() for part in (task.train, task.test, task.anomalous)]


@pytest.mark.parametrize("group", ["digits", "textures"])
def test_the_same_seed_gives_the_same_task_and_another_another(group, photos):
    entry = entries_of([group])[0]
    first = bytes_of(entry.task(3))
    assert bytes_of(entry.task(3)) == first
    assert bytes_of(entry.task(4)) != first


@pytest.mark.parametrize("group", ["digits", "textures"])
def test_a_task_has_images_in_the_unit_interval_and_of_both_kinds(group, photos):
    tasks = [entry.task(0) for entry in entries_of([group])]
    assert len(tasks) == 10
    for task in tasks:
        assert task.train.dtype == task.test.dtype == np.float32
        assert min(task.train.min(), task.test.min()) >= 0
        assert max(task.train.max(), task.test.max()) <= 1
        assert 0 < task.anomalous.sum() < len(task.anomalous) == len(task.test)


def test_training_images_and_test_images_are_different_images_of_a_digit():
    images, labels = module._loaded("digits", "all")
    task = entries_of(["digits"])[7].task(0)
    normal = task.test[~task.anomalous]
    assert len(task.train) + len(normal) == (labels == 7).sum()
    assert len(task.train) + len(task.test) == len(images)
    both = np.concatenate([task.train, task.test]).reshape(len(images), -1)
    assert np.array_equal(
        np.sort(both, axis=0), np.sort(module.as_unit(images).reshape(both.shape), axis=0)
    )


def test_crops_to_train_on_and_test_crops_do_not_overlap(photos):
    task = entries_of(["textures"])[0].task(0)
    normal = task.test[~task.anomalous]
    assert task.train.max() < 100 / 255 <= normal.min()
    assert task.train.shape[1:] == task.test.shape[1:] == (module.CROP, module.CROP)


def test_at_most_so_many_images_are_used_with_anomalous_ones_in_proportion():
    entry = entries_of(["digits"])[0]
    all_of_it, some = entry.task(0), entry.task(0, 30, 100)
    assert (len(some.train), len(some.test)) == (30, 100)
    assert some.anomalous.mean() == pytest.approx(all_of_it.anomalous.mean(), abs=0.01)
    assert bytes_of(entry.task(0, 10_000, 10_000)) == bytes_of(all_of_it)


def test_jitter_is_affine_for_each_image_and_stays_in_the_unit_interval():
    images = np.random.default_rng(0).random((50, 6, 5), dtype=np.float32)
    jittered = jitter(images, np.random.default_rng(1))
    lines = [np.polyfit(x.ravel(), y.ravel(), 1) for x, y in zip(images, jittered)]
    for (gain, offset), x, y in zip(lines, images, jittered):
        assert 0.3 <= gain <= 1
        assert -1e-6 <= offset <= 1 - gain + 1e-6
        np.testing.assert_allclose(y, gain * x + offset, atol=1e-6)
    assert len({round(gain, 4) for gain, _ in lines}) > 40


def test_groups_with_jitter_have_the_same_tasks_as_those_without():
    for collection in ("mnist", "fashion-mnist"):
        plain, jittered = entries_of([collection]), entries_of([f"{collection}-jittered"])
        assert len(plain) == len(jittered) == 10
        assert not any(entry.is_jittered for entry in plain)
        assert all(entry.is_jittered for entry in jittered)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_a_defect_changes_pixels_inside_its_mask_alone(make, monkeypatch):
    monkeypatch.setattr("narrows.bench.defects.KINDS", (make,))
    rng = np.random.default_rng(0)
    for crop in rng.random((30, module.CROP, module.CROP), dtype=np.float32):
        before = crop.copy()
        changed, mask = defect(crop, rng)
        assert np.array_equal(crop, before)
        assert np.array_equal(changed[~mask], crop[~mask])
        assert np.abs(changed - crop)[mask].mean() >= VISIBLE
        assert changed.min() >= 0
        assert changed.max() <= 1
        assert 0 < mask.sum() < mask.size / 2


def test_normal_test_crops_have_no_defect_and_the_others_have(photos, monkeypatch):
    task = entries_of(["textures"])[0].task(0)
    monkeypatch.setattr(module, "defect", lambda crop, rng: (np.full_like(crop, 2), None))
    marked = entries_of(["textures"])[0].task(0)
    assert task.anomalous.sum() == module.TEST_CROPS // 2
    assert (marked.test[marked.anomalous] == 2).all()
    assert np.array_equal(marked.test[~marked.anomalous], task.test[~task.anomalous])


def test_ten_photographs_are_chosen_and_none_at_all_is_an_error(photos, tmp_path, monkeypatch):
    assert len(entries_of(["textures"])) == module.MOST_PHOTOS
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="leave textures out"):
        entries_of(GROUPS)


def test_a_photograph_that_is_too_small_is_refused_by_name(tmp_path):
    Image.new("L", (module.CROP, module.CROP)).save(tmp_path / "tiny.png")
    with pytest.raises(DataError, match=r"tiny\.png is too small"):
        module.texture(tmp_path / "tiny.png", np.random.default_rng(0))
