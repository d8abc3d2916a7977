"""Into which parts a set of images is divided, by the names of its folders.

    train/cat/1.png  val/cat/2.png  test/cat/3.png      ImageNet, torchvision
    train/  valid/  test/                               Roboflow
    Training/  Testing/                                 Kaggle
    train/good  test/broken  ground_truth/broken        MVTec AD; the last are masks, not images

A folder is divided if it has a part to train with and another one, or if nothing but parts is in it,
such as `val` alone. Case, hyphens and the like do not matter in the names of parts. Without a part to
test with, that to validate with serves as one; without a part to train with, the set is one set, of
which "train" is all. What the first folder of a name means for an image is the same in a folder, a
pack and a tar.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from narrows.errors import DataError

PARTS = ("train", "val", "test")
MASKS = "masks"
NAMES_OF_PARTS = {
    "train": ("train", "training", "trainset", "trainingset", "traindata", "trainingdata"),
    "val": ("val", "valid", "validation", "valset", "validset", "validationset"),
    "test": ("test", "testing", "testset", "testingset", "testdata", "testpublic", "evaluation"),
    MASKS: ("groundtruth",),
}
PART_OF_NAME = {name: part for part, names in NAMES_OF_PARTS.items() for name in names}
IGNORED_IN_NAMES = str.maketrans("", "", "-_ .")


def part_of(folder: str) -> str:
    """The part that a folder's name means: "train", "val", "test", "masks", or "" for none.

    >>> part_of("Training_Set"), part_of("cat")
    ('train', '')
    """
    return PART_OF_NAME.get(folder.lower().translate(IGNORED_IN_NAMES), "")


def class_of(name: str, divided: bool) -> str | None:
    """The class of an image by its name: the first folder, below the part if the set is divided."""
    folders = name.split("/")[divided:]
    return folders[0] if len(folders) > 1 else None


def is_mask(name: str, divided: bool) -> bool:
    """Whether a file is in a folder of masks, at the first level or at that below the parts."""
    folders = name.split("/")[:-1]
    return any(part_of(folder) == MASKS for folder in folders[: 1 + divided])


@dataclass(frozen=True)
class Division:
    """The folders of a set that are its parts. folders: their names, by part; empty if the set is
    not divided.
    """

    folders: dict[str, tuple[str, ...]]

    def __bool__(self) -> bool:
        return bool(self.folders)

    def has(self, split: str) -> bool:
        """Whether "train", "val" or "test" is a part of its own, next to one to train with.

        What serves as the part to test with is that, and none to validate with.
        """
        if "train" not in self.folders or len(self.folders) < 2:
            return False
        return split != "val" or {"val", "test"} <= set(self.folders)

    def chosen(self, split: str, path: Path) -> tuple[str, ...]:
        """The folders of a split; ("",) if all images of the set are. Raises `DataError`."""
        parts = self._parts(split)
        if parts:
            return Division({part: self.folders[part] for part in parts}).all_folders()
        if not self.folders and split in ("train", "all"):
            return ("",)
        raise self._no_split(split, path)

    def notes(self, split: str, path: Path) -> tuple[str, ...]:
        """What is to say of the choice."""
        if split == "train" and self.folders and "train" not in self.folders:
            return (f"{path} has no part to train with, so all is read: {self.names()}",)
        if split == "test" and self._parts(split) == ("val",):
            return (f"{path} has no part to test with, so {self.names('val')} serves as one",)
        return ()

    def _parts(self, split: str) -> tuple[str, ...]:
        """The parts that a split consists of."""
        present = tuple(part for part in PARTS if part in self.folders)
        choices = {"all": [present], "train": [("train",), present], "val": [("val",)]}
        choices["test"] = [("test",), ("val",)]
        return next((parts for parts in choices[split] if set(parts) <= set(present)), ())

    def all_folders(self) -> tuple[str, ...]:
        """The folders of all parts."""
        return sum(self.folders.values(), ())

    def names(self, *parts: str) -> str:
        """The folders of these parts, or of all, as text."""
        chosen = [part for part in parts or PARTS if part in self.folders]
        return ", ".join(f"{folder}/" for part in chosen for folder in self.folders[part])

    def _no_split(self, split: str, path: Path) -> DataError:
        has = f"it has {self.names()}"
        if not self.folders:
            has = f"for that it needs the sub-folders train and {split}"
        return DataError(
            f"{path} has no {split} split: {has}; read it with split='all', or give the path of "
            f"the {split} images themselves"
        )


UNDIVIDED = Division({})


def division_of_names(names: Iterable[str]) -> Division:
    """How images are divided, by their names."""
    first = {name.partition("/")[0] if "/" in name else "" for name in names}
    return divide(first - {""}, lambda: any(not part_of(folder) for folder in first))


def divide(folders: Iterable[str], has_others: Callable[[], bool]) -> Division:
    """How a set is divided, by the names of its first-level folders.

    has_others: whether there are images outside of parts; asked only if it decides.
    """
    found: dict[str, tuple[str, ...]] = {}
    for folder in sorted(folders):
        part = part_of(folder)
        if part in PARTS:
            found[part] = (*found.get(part, ()), folder)
    in_order = {part: found[part] for part in PARTS if part in found}
    if ("train" in found and len(found) > 1) or (found and not has_others()):
        return Division(in_order)
    return UNDIVIDED
