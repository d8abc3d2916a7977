"""Shares of a work: merged, they are to the byte what is written at once."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.data.packs.pack import pack
from narrows.data.readers import image_files
from narrows.model.files import store
from narrows.model.use.folders import with_fixed_batches
from small_files import write_idx


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    return nw.load_data("digits", split="test")[0][:6]


@pytest.fixture(scope="session")
def sources(tmp_path_factory, digits) -> dict[str, Path]:
    """The same digits as a folder with broken files, as a pack of it, as arrays and as IDX; and one
    wide picture.
    """
    root = tmp_path_factory.mktemp("sources")
    for k, image in enumerate(digits):
        path = root / "folder" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    for name in ("a/-.png", "a/3.jpg", "b/z.png"):
        (root / "folder" / name).write_bytes(b"none")
    pack(root / "folder", root / "set.tar", check=False)
    np.save(root / "x.npy", (digits / 255).astype(np.float32))
    np.savez(root / "x.npz", x=digits, y=np.arange(len(digits)) % 2)
    write_idx(root / "my-images-idx3-ubyte", digits)
    whole = {
        "folder": "folder",
        "pack": "set.tar",
        "npy": "x.npy",
        "npz": "x.npz",
        "idx": "my-images-idx3-ubyte",
    }
    return {form: root / name for form, name in whole.items()}


def content(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of each file of a folder."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.fixture
def share_out(narrows, tmp_path):
    """A function: a verb at once and in n shares; asserts that these, merged, are the same."""

    def call(n: int, verb: str, run: Path, source: Path, name: str, *options) -> Path:
        whole, parts = tmp_path / "whole" / name, tmp_path / f"{n}" / name
        if not whole.exists():
            assert narrows(verb, run, source, "-o", whole, *options).code == 0
        for i in range(n, 0, -1):
            found = narrows(verb, run, source, "-o", parts, "--shard", f"{i}/{n}", *options)
            assert found.code == 0, found.err
            assert found.out.strip() == str(parts.with_stem(f"{parts.stem}-{i}-of-{n}"))
        found = narrows("merge", parts)
        assert found.code == 0, found.err
        assert content(parts) == content(whole)
        return parts

    return call


@pytest.mark.parametrize("form", ["folder", "pack", "npy", "npz", "idx"])
def test_shares_of_any_form_of_input_make_the_whole(share_out, trained, sources, form):
    counts = {"encode": (1, 3, 11), "score": (2, 5), "reconstruct": (3,)}
    for verb, name in (("encode", "x.npz"), ("score", "x.csv"), ("reconstruct", "out")):
        for n in (1, 2, 3, 5, 11) if form == "folder" else counts[verb]:
            share_out(n, verb, trained["pca"], sources[form], name)


@pytest.mark.parametrize(
    ("verb", "name"),
    [("encode", "x.npy"), ("denoise", "x.npy"), ("denoise", "x.npz"), ("denoise", "out")],
)
def test_shares_of_any_form_of_output_make_the_whole(share_out, trained, sources, verb, name):
    for form in ("folder", "npy"):
        share_out(4, verb, trained["denoiser"], sources[form], f"{form}-{name}")


def test_codes_as_parquet_are_merged(narrows, trained, sources, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert (
        narrows("encode", trained["pca"], sources["folder"], "-o", tmp_path / "whole.parquet").code
        == 0
    )
    for i in range(1, 12):
        asked = [
            "encode",
            trained["pca"],
            sources["folder"],
            "-o",
            tmp_path / "x.parquet",
            "--shard",
            f"{i}/11",
        ]
        assert narrows(*asked).code == 0
    assert narrows("merge", tmp_path / "x.parquet").code == 0
    assert parquet.read_table(tmp_path / "x.parquet").equals(
        parquet.read_table(tmp_path / "whole.parquet")
    )


def test_a_named_set_is_shared_out_with_its_labels(share_out, trained):
    share_out(3, "encode", trained["denoiser"], Path("digits"), "x.npz")
    share_out(3, "score", trained["denoiser"], Path("digits"), "x.csv", "--kind", "error")


def test_error_maps_and_skipped_files_are_merged_too(narrows, trained, sources, tmp_path):
    # it is told of once it goes through the model, after `-.png`
    small = sources["folder"] / "a" / "+.png"
    Image.new("L", (5, 5)).save(small)
    for root, shards in (("whole", [""]), ("parts", [f"{i}/6" for i in range(1, 7)])):
        to = ["-o", tmp_path / root / "s.csv", "--maps", tmp_path / root / "maps"]
        for shard in shards:
            asked = [*to, "--skipped", tmp_path / root / "k.csv", "--shard", shard]
            assert narrows("score", trained["pca"], sources["folder"], *asked).code == 0
    small.unlink()
    to = [tmp_path / "parts" / name for name in ("s.csv", "maps")]
    found = narrows("merge", *to, "--skipped", tmp_path / "parts" / "k.csv", "--remove")
    assert (found.code, found.out.split()) == (0, [str(path) for path in to])
    assert "6 results, 4 inputs were skipped" in found.err
    lists = list((tmp_path / "parts").glob("k-?-of-6.csv"))
    assert len(lists) == 6
    for path in lists:
        path.unlink()
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_classes_are_those_that_all_shares_know(share_out, trained, digits, tmp_path):
    """A picture beside the classes takes them from the whole, but its share alone would know of it."""
    for name in ("a/0.png", "a/1.png", "b/2.png", "z.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits[0]).save(tmp_path / "in" / name)
    merged = share_out(2, "score", trained["pca"], tmp_path / "in", "s.csv")
    assert merged.read_text().startswith("file,score,flagged,percentile\n")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_share_of_grey_pictures_goes_with_the_colour_of_others(
    share_out, narrows, tmp_path, mode
):
    random = np.random.default_rng(0)
    for k in range(20):
        picture = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        picture.convert(mode if k < 10 else "RGB").save(_made(tmp_path / "in" / f"{k:02d}.png"))
    asked = [
        "train",
        "pca",
        "--data",
        tmp_path / "in",
        "-o",
        tmp_path / "run",
        "--set",
        "n_components=2",
    ]
    assert narrows(*asked).code == 0
    share_out(3, "encode", tmp_path / "run", tmp_path / "in", "x.npz")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_share_reads_no_file_of_another(narrows, trained, digits, tmp_path, monkeypatch):
    for k in range(6):
        Image.fromarray(digits[k]).save(_made(tmp_path / "in" / f"{k}.png"))
    opened = []
    whole = image_files.open_pages
    monkeypatch.setattr(
        image_files,
        "open_pages",
        lambda file, *options: opened.append(file.name) or whole(file, *options),
    )
    for verb, name in (("encode", "x.npy"), ("denoise", "out"), ("score", "s.csv")):
        opened.clear()
        assert (
            narrows(
                verb, trained["denoiser"], tmp_path / "in", "-o", tmp_path / name, "--shard", "2/3"
            ).code
            == 0
        )
        assert sorted(opened) == ["2.png", "3.png"]


@pytest.mark.parametrize("run", ["pca", "denoiser"])
def test_what_is_made_of_an_image_does_not_depend_on_what_is_next_to_it(trained, digits, run):
    model = with_fixed_batches(store.load(trained[run]))
    for verb in (model.transform, model.anomaly_score, lambda x: model.reconstruct(x, exact=True)):
        together = verb(digits)
        for k in range(len(digits)):
            np.testing.assert_array_equal(verb(digits[k : k + 1])[0], together[k])


@pytest.mark.parametrize(
    "shard", ["0/4", "5/4", "a/b", "3", "1/0", "1/2/3", "-1/4", "1.5/4", "²/4"]
)
def test_what_is_no_share_is_refused(refused, trained, tmp_path, shard):
    said = refused(
        2, "encode", trained["pca"], "digits", "-o", tmp_path / "x.npz", f"--shard={shard}"
    )
    assert "expected i/n with i from 1 to n, such as 2/4" in said


def test_what_cannot_be_shared_out_is_refused(refused, trained, sources, tmp_path):
    folder = sources["folder"]
    asked = ["--shard", "1/2"]
    assert "joined as .csv" in refused(
        1, "reconstruct", trained["pca"], folder, "-o", tmp_path / "x.png", *asked
    )
    assert "--normal" in refused(
        2, "score", trained["pca"], folder, "-o", tmp_path / "x.csv", "--normal", "a", *asked
    )
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_there_is_left_alone_unless_forced(
    narrows, refused, trained, sources, tmp_path
):
    asked = [
        "encode",
        trained["pca"],
        sources["folder"],
        "-o",
        tmp_path / "x.npz",
        "--shard",
        "1/2",
    ]
    assert narrows(*asked).code == 0
    before = content(tmp_path)
    assert "exists already" in refused(1, *asked)
    assert narrows(*asked, "--force").code == 0
    assert content(tmp_path) == before


def test_a_work_that_breaks_off_leaves_no_mark(narrows, trained, sources, tmp_path, monkeypatch):
    """Not even that of the part that it was about to replace."""
    asked = [
        "denoise",
        trained["denoiser"],
        sources["folder"],
        "-o",
        tmp_path / "out",
        "--shard",
        "1/2",
    ]
    assert narrows(*asked).code == 0
    assert (tmp_path / "out-1-of-2.part.json").exists()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("narrows.data.write.PictureWriter.add", stop)
    assert narrows(*asked, "--force").code == 1
    assert not (tmp_path / "out-1-of-2.part.json").exists()
