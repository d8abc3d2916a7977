"""The files of named sets: found, or downloaded, and always checked.

A file is looked for in this order, gzipped or not, as it was published, as torchvision and as
Kaggle's zip leave it (`train-images-idx3-ubyte`, `train-images.idx3-ubyte`, or in a folder of its
own name):

    $NARROWS_DATA/<set>/            for MNIST also mnist, MNIST; for Fashion-MNIST also FashionMNIST
    $NARROWS_DATA/<set>/raw/
    $NARROWS_DATA/                  if it is itself the folder of that set
    the cache: $NARROWS_CACHE/<set>/, or else the user's own cache folder

then downloaded into the cache from public mirrors, in turn. The *decoded* bytes must have the
SHA-256 sum that is written here, so it does not matter who compressed or sent the file. A wrong
download is never kept.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from narrows.data.readers.idx import read_unzipped
from narrows.errors import DataError, OutputError
from narrows.files import atomic

SUMS = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
}
OTHER_NAMES = {"mnist": ("MNIST",), "fashion-mnist": ("FashionMNIST",)}  # torchvision's
DOWNLOAD_TIMEOUT = 20  # seconds without an answer, after which the next mirror is tried

log = logging.getLogger(__name__)


def obtain(collection: str, file: str) -> bytearray:
    """The decoded bytes of a file of a named set, checked.

    Raises `DataError` for a file that is wrong, cut short, or neither on this machine nor to be
    downloaded.
    """
    path = find_file(collection, file) or download(collection, file)
    return read_checked(path, collection, file)


def find_file(collection: str, file: str) -> Path | None:
    """Where a file of a named set is on this machine; None if it is not there."""
    names = (file, file.replace("-idx", ".idx"))
    for folder in _folders(collection):
        for name in names:
            for path in (folder / name, folder / f"{name}.gz", folder / name / name):
                if path.is_file():
                    return path
    return None


def read_checked(path: Path, collection: str, file: str) -> bytearray:
    """The decoded bytes at `path`, if they are those of the expected file. Raises `DataError`."""
    try:
        blob = read_unzipped(path)
    except DataError as error:
        raise DataError(f"{error}, or remove it to have it downloaded") from error
    got = hashlib.sha256(blob).hexdigest()
    expected = SUMS[collection][file]
    if got != expected:
        raise DataError(
            f"{path} is not the expected file: its {len(blob)} bytes have the SHA-256 sum "
            f"{got[:12]}..., expected {expected[:12]}...; "
            f"replace it with the right {file}.gz, or remove it to have it downloaded"
        )
    return blob


def download(collection: str, file: str) -> Path:
    """Download a file of a named set into the cache, from the first mirror that has it right.

    Raises `DataError`, which says where the file was looked for and how to place it.
    """
    import pooch  # here, because it is slow to import and seldom needed

    target = _cache() / collection / f"{file}.gz"
    failures = []
    for mirror in MIRRORS[collection]:
        log.info("downloading %s.gz of %s from %s", file, collection, urlsplit(mirror).hostname)
        try:
            with atomic(target) as temporary:
                pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT)(
                    f"{mirror}/{file}.gz", str(temporary), None
                )
                read_checked(temporary, collection, file)
            return target
        except (OSError, DataError, OutputError) as error:
            failures.append(f"{urlsplit(mirror).hostname}: {_reason(error)}")
    raise DataError(_missing_message(collection, file, failures))


def _folders(collection: str) -> Iterator[Path]:
    """The folders to look in, one at a time: the last of them is only worked out when it is needed."""
    if root := os.environ.get("NARROWS_DATA"):
        data, names = Path(root).expanduser(), (collection, *OTHER_NAMES.get(collection, ()))
        for name in names:
            yield data / name
            yield data / name / "raw"
        if data.name in names:
            yield data
            yield data / "raw"
    yield _cache() / collection


def _cache() -> Path:
    if root := os.environ.get("NARROWS_CACHE"):
        return Path(root).expanduser()
    import pooch

    return Path(pooch.os_cache("narrows"))


def _reason(error: Exception) -> str:
    """Why a mirror failed, in a few words: the network's own messages are paragraphs."""
    if isinstance(error, DataError):
        return "sent a damaged or wrong file"
    response = getattr(error, "response", None)
    if response is not None:
        return f"answered {response.status_code}"
    if isinstance(error, OutputError):
        return str(error)
    return type(error).__name__


def _missing_message(collection: str, file: str, failures: list[str]) -> str:
    folders = ", ".join(map(str, _folders(collection)))
    first = "set NARROWS_DATA to a folder of yours and "
    if os.environ.get("NARROWS_DATA"):
        first = ""
    return (
        f"{file} is missing: it was looked for in {folders}, and could not be downloaded "
        f"({'; '.join(failures)}); "
        f"{first}place {file}.gz in $NARROWS_DATA/{collection}/, or connect to the internet"
    )
