"""The images that a run is trained on, and those that it is tested with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from narrows.data import ImageSet, has_split
from narrows.data.pairs import read_pairs
from narrows.data.patches.names import groups_of
from narrows.data.patches.plan import as_cut
from narrows.errors import DataError
from narrows.model.estimator.base import ImageModel
from narrows.model.training.split import hold_groups

# bytes of a file that is split in place; images of it held back for the test, at most
LARGE, HELD = 2**30, 10_000


@dataclass(eq=False)
class DataSplit:
    """A set of images: to train on, and to test with."""

    train: ImageSet
    test: ImageSet

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the reading of both."""
        return tuple(dict.fromkeys(self.train.notes + self.test.notes))

    def fit_options(self, model: ImageModel) -> dict[str, Any]:
        """What a model is fitted with next to the training images: the noisy ones, where it asks
        for pairs, and which images are patches of one picture.
        """
        options: dict[str, Any] = {}
        if model.wants_pairs:
            options["noisy"] = self.train.noisy
        if model.fits_in_epochs and self.groups is not None:
            options["groups"] = self.groups
        return options

    @property
    def groups(self) -> np.ndarray | None:
        """Which training images are patches of one picture; None if they are no patches."""
        return groups_of(self.train.names)

    def validation_for(self, model: ImageModel) -> Any:
        """The test images as a model takes images to validate with."""
        if model.wants_pairs:
            return self.test.pair
        if model.learns_from_noisy:
            return noisy_alone(self.test).images
        return self.test.images

    def seen_by(self, model: ImageModel) -> "DataSplit":
        """The same as a model takes them that learns from noisy images: of pairs it trains on the noisy
        ones, and is tested on both. If it takes pairs, they are two noisy images, and it is tested on one.
        """
        if not model.learns_from_noisy:
            return self
        if model.wants_pairs:
            return replace(self, test=noisy_alone(self.test))
        return replace(self, train=noisy_alone(self.train))


def noisy_alone(images: ImageSet) -> ImageSet:
    """The noisy images of pairs; others as they are."""
    if images.noisy is None:
        return images
    return replace(images, images=images.noisy, noisy=None)


def read_split(data: Any) -> DataSplit:
    """Training and test images; a set that has no test part is split, a tenth to the test: of patches,
    all those of a tenth of the pictures.

    The tenth is drawn at random. Of a set above 1 GB that lies on the disk at most 10,000 images
    are held back, so that both parts stay there; of a file of yours, which is left as it is, they
    are the end: sort no such file by class. A part to validate with ("val") is left out of both,
    and a note says so.
    """
    if has_split(data, "test"):
        test = read_pairs(_fewer_patches(data), "test")
        return DataSplit(_noting_validation(data, read_pairs(data, "train")), test)
    images = read_pairs(data, "all")
    if len(images) < 2:
        raise DataError(
            f"{images.source} holds one image; two at least are needed, to train and to test"
        )
    held = max(1, len(images) // 10)
    is_large = isinstance(images.images, np.memmap) and images.images.nbytes > LARGE
    order = np.random.default_rng(0).permutation(len(images))
    groups = groups_of(images.names)
    if groups is not None:
        test_index = _held_pictures(images, groups, held, order)
    elif is_large:
        test_index = order[len(images) - min(held, HELD) :]
    else:
        test_index = np.sort(order[:held])
    if is_large:
        return _split_in_place(images, test_index)
    train_index = np.setdiff1d(np.arange(len(images)), test_index)
    return DataSplit(_part(images, train_index), _part(images, test_index))


def _held_pictures(
    images: ImageSet, groups: np.ndarray, held: int, order: np.ndarray
) -> np.ndarray:
    """The places of the patches of some pictures, about `held`. Raises `DataError` for one picture."""
    if not groups.any():
        raise DataError(
            f"all patches in {images.source} are of one picture; two at least are needed, to train and "
            "to test, which may be halves of it"
        )
    return hold_groups(groups, held, order)


def _fewer_patches(data: Any) -> Any:
    """Data to test with, of which a tenth as many patches are cut as to train with."""
    if not isinstance(data, Mapping) or data.get("patches") is None:
        return data
    patches = data["patches"]
    options = dict(patches) if isinstance(patches, Mapping) else {}
    count = as_cut(patches).count
    return {**data, "patches": {**options, "count": max(1, count // 10)}}


def _noting_validation(data: Any, train: ImageSet) -> ImageSet:
    """The training images, with a note if there are others to validate with."""
    if not has_split(data, "val"):
        return train
    note = (
        f"There is a part to validate with (val) in {train.source}, which is neither trained on "
        "nor tested with; split='val' reads it alone, split='all' together with the others."
    )
    return replace(train, notes=(*train.notes, note))


def _split_in_place(images: ImageSet, index: np.ndarray) -> DataSplit:
    """The beginning of a file to train on, its end to test with: the images of `index`, if the file may
    be changed, else as many.
    """
    kept = len(images) - len(index)
    if images.images.flags.writeable or images.names is not None:
        images = _at_the_end(images, index)
    return DataSplit(_part(images, slice(kept)), _part(images, slice(kept, None)))


def _at_the_end(whole: ImageSet, index: np.ndarray) -> ImageSet:
    """The set with these images moved to its end, where they change places with others."""
    end = np.arange(len(whole) - len(index), len(whole))
    front, back = np.setdiff1d(index, end), np.setdiff1d(end, index)
    for images in (whole.images, whole.noisy):
        if images is not None and images.flags.writeable:  # else another rank moves them
            images[front], images[back] = images[back], images[front]
    order = np.arange(len(whole))
    order[front], order[back] = back, front
    labels, names = chosen(whole.labels, order), _chosen_names(whole.names, order)
    return replace(whole, labels=labels, names=names)


def _part(whole: ImageSet, index: Any) -> ImageSet:
    return replace(
        whole,
        images=whole.images[index],
        labels=chosen(whole.labels, index),
        names=_chosen_names(whole.names, index),
        noisy=chosen(whole.noisy, index),
    )


def chosen(values: np.ndarray | None, index: Any) -> np.ndarray | None:
    """The values at these places, where there are any."""
    if values is None:
        return None
    return values[index]


def _chosen_names(names: Sequence[str] | None, index: Any) -> tuple[str, ...] | None:
    """The names of the files at these places, where images are files."""
    if names is None:
        return None
    return tuple(np.array(names, dtype=object)[index])
