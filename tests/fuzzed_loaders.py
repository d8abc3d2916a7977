"""Loaders of files, each with a small valid file, mutants of it, and what reads them."""

import json
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.io import savemat
from torch import Tensor

import narrows as nw
from mutants import as_json, bytes_mutants, json_mutants, text_mutants, zip_mutants
from narrows.data import read_data
from narrows.data.code_files import read_codes, write_codes
from narrows.data.merging.manifest import Manifest, manifest_path, write_manifest
from narrows.data.merging.merge import merge
from narrows.data.packs.pack import pack
from narrows.data.packs.reader import Pack, verify_pack
from narrows.data.readers.crc32c import crc32c, masked
from narrows.data.share import Share, part_path
from narrows.errors import NarrowsError
from narrows.files import write_csv
from narrows.model.file_format import read_file, to_bytes
from narrows.model.files.describe import describe_file
from narrows.model.trackers import flatten_options
from narrows.study.run_folder import keep_snapshots, snapshots_in
from narrows.study.schema import read_study
from small_files import idx_bytes, write_picture

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 4), np.uint8)
CODES = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
NAMES = ["a.png", "b.png", "c.png", "d.png"]


class Loader(NamedTuple):
    """path: where each mutant is written. mutants: of a count and a seed. load: reads it."""

    path: Path
    mutants: Callable[[int, int], Iterator[bytes]]
    load: Callable[[], Any]


def of_bytes(path: Path, load: Callable[[], Any]) -> Loader:
    content = path.read_bytes()
    return Loader(path, lambda count, seed: bytes_mutants(content, count, seed), load)


def of_zip(path: Path, load: Callable[[], Any]) -> Loader:
    content = path.read_bytes()
    return Loader(path, lambda count, seed: zip_mutants(content, count, seed), load)


def both(one: Loader, other: Loader) -> Loader:
    """Mutants of two kinds of one file, half of each."""

    def mutants(count: int, seed: int) -> Iterator[bytes]:
        yield from one.mutants(count - count // 2, seed)
        yield from other.mutants(count // 2, seed)

    return one._replace(mutants=mutants)


# -- images ----------------------------------------------------------------------------------------


def npy(folder: Path) -> Loader:
    path = folder / "images.npy"
    np.save(path, IMAGES)
    return of_bytes(path, lambda: used(read_data(path, "all")))


def npz(folder: Path) -> Loader:
    path = folder / "images.npz"
    np.savez(path, x_train=IMAGES, y_train=np.arange(6), x_test=IMAGES[:2], y_test=np.arange(2))
    return of_zip(path, lambda: used(read_data(path, "all")))


def npz_compressed(folder: Path) -> Loader:
    path = folder / "images.npz"
    np.savez_compressed(path, images=IMAGES, labels=np.array(list("abcdef")))
    return of_bytes(path, lambda: used(read_data(path, "all")))


def idx(folder: Path) -> Loader:
    path = folder / "x-images-idx3-ubyte"
    path.write_bytes(idx_bytes(IMAGES))
    return of_bytes(path, lambda: used(read_data(path, "all")))


def csv(folder: Path) -> Loader:
    rows = [f"{k},{','.join(map(str, image.ravel()))}" for k, image in enumerate(IMAGES)]
    text = "\n".join([f"label,{','.join(f'p{k}' for k in range(16))}", *rows])
    return of_images(folder / "images.csv", text.encode())


def cifar(folder: Path) -> Loader:
    rows = np.random.default_rng(0).integers(0, 256, (3, 3073), np.uint8)
    rows[:, 0] = 3, 1, 4
    return of_images(folder / "data_batch_1.bin", rows.tobytes())


def pickled(folder: Path) -> Loader:
    return of_images(folder / "a.pkl", pickle.dumps({"data": IMAGES, "labels": [*range(6)]}, 2))


def norb(folder: Path) -> Loader:
    header = np.array([0x1E3D4C55, 3, *IMAGES.shape], "<i4")
    return of_images(folder / "a-dat.mat", header.tobytes() + IMAGES.tobytes())


def mat(folder: Path) -> Loader:
    return of_matlab(folder)


def mat_compressed(folder: Path) -> Loader:
    return of_matlab(folder, do_compression=True)


def mat_4(folder: Path) -> Loader:
    return of_matlab(folder, format="4")


def of_matlab(folder: Path, **options: Any) -> Loader:
    file = BytesIO()
    savemat(file, {"fea": IMAGES.reshape(6, 16), "gnd": np.arange(6)[:, None]}, **options)
    return of_images(folder / "a.mat", file.getvalue())


def tfrecord(folder: Path) -> Loader:
    pixels = IMAGES[0].tobytes()
    feature = b"\n\x05image\x12\x14\n\x12\n\x10" + pixels
    example = b"\n\x1f\n\x1d" + feature
    length = len(example).to_bytes(8, "little")
    sums = [int(value).to_bytes(4, "little") for value in masked(crc32c([length, example]))]
    return of_images(folder / "a.tfrecord", (length + sums[0] + example + sums[1]) * 3)


def torch_zip(folder: Path) -> Loader:
    return of_torch(folder)


def torch_old(folder: Path) -> Loader:
    return of_torch(folder, _use_new_zipfile_serialization=False)


def of_torch(folder: Path, **options: Any) -> Loader:
    file = BytesIO()
    torch.save((torch.from_numpy(IMAGES), torch.arange(6)), file, **options)
    return of_images(folder / "a.pt", file.getvalue())


def of_images(path: Path, content: bytes) -> Loader:
    path.write_bytes(content)
    assert len(read_data(path, "all"))
    return of_bytes(path, lambda: used(read_data(path, "all")))


def used(images: Any) -> None:
    """What was read can be used."""
    assert images.images[:1].shape[1:] == images.images.shape[1:]
    assert images.fingerprint


# -- packs -----------------------------------------------------------------------------------------


def packed(folder: Path) -> Path:
    for k in range(4):
        write_picture(folder / "photos" / "ab"[k % 2] / f"{k}.png", fill=k)
    return pack(folder / "photos", folder / "set.tar")["path"]


def read_pack(path: Path) -> None:
    with suppress(NarrowsError):
        verify_pack(path)
    with suppress(NarrowsError):
        list(Pack(path))
    read_data(path, "all")


def tar(folder: Path) -> Loader:
    path = packed(folder)
    path.with_suffix(".index").unlink()
    return of_bytes(path, lambda: read_pack(path))


def tar_of_a_pack(folder: Path) -> Loader:
    path = packed(folder)
    return of_bytes(path, lambda: read_pack(path))


def index(folder: Path) -> Loader:
    path = packed(folder)
    return of_zip(path.with_suffix(".index"), lambda: read_pack(path))


# -- codes and parts -------------------------------------------------------------------------------


def codes_npy(folder: Path) -> Loader:
    path = write_codes(CODES, folder / "codes.npy")
    return of_bytes(path, lambda: read_codes(path))


def codes_npz(folder: Path) -> Loader:
    path = write_codes(CODES, folder / "codes.npz", NAMES)
    return of_zip(path, lambda: read_codes(path))


def parts(folder: Path, output: str) -> Path:
    """Two parts of an output with their manifests; returns the first."""
    path = folder / output
    for place in (1, 2):
        span = Share(place, 2).span(4, "i")
        part = part_path(path, Share(place, 2))
        if path.suffix == ".csv":
            write_csv(part, ("file", "score"), [(name, 0.5) for name in NAMES[span.rows]])
        elif path.suffix:
            write_codes(CODES[span.rows], part, NAMES[span.rows])
        else:
            for name in NAMES[span.rows]:
                write_picture(part / name)
        manifest = Manifest(
            work="encode", model="m", shard=place, of=2, first=span.first, stop=span.stop, total=4,
            inputs="i", rows=2, skipped=[("x.png", "why")],
        )  # fmt: skip
        write_manifest(part, manifest)
    return part_path(path, Share(1, 2))


def manifest(folder: Path) -> Loader:
    part = parts(folder, "codes.npz")
    path = manifest_path(part)
    content = path.read_bytes()
    plain = json.loads(content)

    def mutants(count: int, seed: int) -> Iterator[bytes]:
        yield from bytes_mutants(content, count // 4, seed)
        for mutant in json_mutants(plain, count - count // 4, seed):
            yield as_json(mutant)

    return Loader(path, mutants, lambda: merge(folder / "codes.npz", force=True))


def part_npz(folder: Path) -> Loader:
    return of_zip(parts(folder, "codes.npz"), lambda: merge(folder / "codes.npz", force=True))


def part_npy(folder: Path) -> Loader:
    return of_bytes(parts(folder, "codes.npy"), lambda: merge(folder / "codes.npy", force=True))


def part_csv(folder: Path) -> Loader:
    return of_bytes(parts(folder, "scores.csv"), lambda: merge(folder / "scores.csv", force=True))


# -- models ----------------------------------------------------------------------------------------


def small_model(**options: Any) -> nw.Autoencoder:
    body = {"kind": "mlp", "widths": [3]}
    bottleneck = {"kind": "variational", "size": 2}
    settings = {"epochs": 2, "batch_size": 3, "validation": 0.4, **options}
    return nw.Autoencoder(body, bottleneck, prior="mixture", **settings)


def load_model(path: Path) -> None:
    with suppress(NarrowsError):
        describe_file(path)
    nw.load(path).transform(IMAGES[:2])


def with_headers(path: Path, load: Callable[[], Any]) -> Loader:
    """Mutants whose header is wrong and whose checksum is right."""
    header, tensors = read_file(path)

    def mutants(count: int, seed: int) -> Iterator[bytes]:
        for mutant in json_mutants(header, count, seed):
            yield to_bytes(mutant, tensors)

    return Loader(path, mutants, load)


def model(folder: Path) -> Loader:
    path = nw.save(small_model().fit(IMAGES), folder / "m.safetensors")

    def load() -> None:
        load_model(path)

    return both(of_bytes(path, load), with_headers(path, load))


def pca_header(folder: Path) -> Loader:
    path = nw.save(nw.PCA(2).fit(IMAGES), folder / "m.safetensors")
    return with_headers(path, lambda: load_model(path))


def checkpoint_file(folder: Path) -> Path:
    path = folder / "last.safetensors"
    small_model(epochs=1).fit(IMAGES, checkpoint=nw.Checkpoint(path))
    return path


def resume(path: Path) -> None:
    """Continue from a checkpoint for the epochs that are left, without what `fit` does after them."""
    with suppress(NarrowsError):
        describe_file(path)
    model = small_model(epochs=2)
    training = model._prepare(IMAGES)
    options = flatten_options(model.get_params(deep=False))
    with nw.Checkpoint(path, resume=True).of(training, options):
        for _ in training:
            pass


def checkpoint(folder: Path) -> Loader:
    path = checkpoint_file(folder)

    def load() -> None:
        resume(path)

    return both(with_headers(path, load), with_tensors(path, load))


def with_tensors(path: Path, load: Callable[[], Any]) -> Loader:
    """Mutants with tensors of other names, shapes, types and values, whose checksum is right."""
    header, tensors = read_file(path)

    def mutants(count: int, seed: int) -> Iterator[bytes]:
        for mutant in tensor_mutants(tensors, count, seed):
            yield to_bytes(header, mutant)

    return Loader(path, mutants, load)


def tensor_mutants(
    tensors: dict[str, Tensor], count: int, seed: int
) -> Iterator[dict[str, Tensor]]:
    chance = random.Random(seed)
    for _ in range(count):
        mutant = dict(tensors)
        chance.choice(TENSOR_FAULTS)(mutant, chance.choice(list(mutant)), chance)
        yield mutant


def _remove(mutant: dict[str, Tensor], name: str, chance: random.Random) -> None:
    del mutant[name]


def _swap(mutant: dict[str, Tensor], name: str, chance: random.Random) -> None:
    other = chance.choice(list(mutant))
    mutant[name], mutant[other] = mutant[other], mutant[name]


def _rename(mutant: dict[str, Tensor], name: str, chance: random.Random) -> None:
    names = ("optimiser.x.y", "optimiser.99.step", "optimiser.0", "steps.", "x", f"{name}.x")
    mutant[chance.choice(names)] = mutant.pop(name)


def _change(mutant: dict[str, Tensor], name: str, chance: random.Random) -> None:
    value = mutant[name]
    changed = (
        value.double(), value.long(), value.bool(), value.half(), value.flatten(), value.flatten()[:-1],
        value[None], torch.full_like(value, float("nan")), torch.full_like(value, float("inf")),
        torch.empty(0), torch.zeros(()), torch.full((1000,), 1e38), -value, value * 0, value + 1e30,
    )  # fmt: skip
    mutant[name] = chance.choice(changed)


TENSOR_FAULTS = (_remove, _swap, _rename, _change, _change, _change)


# -- studies ---------------------------------------------------------------------------------------

STUDY = """title = "A plane"
question = "what?"
data = "digits"
text = ["one", "two"]

[[runs]]
name = "vae"
recipe = "vae-mlp"
changes = { epochs = 2, body = { widths = [8] } }
snapshots = [1]

[[numbers]]
label = "loss"
run = "vae"
history = "loss"
epoch = 1
published = 10.0

[[figures]]
kind = "curves"
title = "Loss"
options = { of = ["loss"] }
"""
TOML = (
    '"', "'", '"""', "'''", "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\\", "\\u", "\\UFFFFFFFF",
    "\0", "\x7f", "é", "\ud800", "0x", "1e999", "nan", "-inf", "1979-05-27T07:32:00Z", "9" * 5000, "_",
    "[" * 300, "{a=" * 300, "\r", "\ufeff", "true", "a.b.c = 1",
)  # fmt: skip


def study(folder: Path) -> Loader:
    path = folder / "study.toml"
    return Loader(
        path,
        lambda count, seed: text_mutants(STUDY, count, seed, TOML),
        lambda: read_study(path),
    )


def snapshots(folder: Path) -> Loader:
    path = folder / "snapshots.npz"
    keep_snapshots({1: {"x": IMAGES}, 2: {"x": IMAGES}}, folder)
    return of_zip(path, lambda: snapshots_in(folder))


LOADERS = (
    npy, npz, npz_compressed, idx, csv, cifar, pickled, norb, mat, mat_compressed, mat_4, tfrecord,
    torch_zip, torch_old,
    tar, tar_of_a_pack, index, codes_npy, codes_npz, manifest, part_npz, part_npy, part_csv, model,
    pca_header, checkpoint, study, snapshots,
)  # fmt: skip
