"""The verb that joins parts; what it joins is tested with the verbs that write them."""

import numpy as np


def encoded(narrows, trained, folder, *shards, name="x.npz", run="pca"):
    for shard in shards:
        assert (
            narrows("encode", trained[run], "digits", "-o", folder / name, "--shard", shard).code
            == 0
        )


def test_parts_are_named_with_an_output_for_them(narrows, refused, trained, tmp_path):
    encoded(narrows, trained, tmp_path, "1/2", "2/2")
    parts = [tmp_path / f"x-{k}-of-2.npz" for k in (2, 1)]
    found = narrows("merge", *parts, "-o", tmp_path / "codes.npz")
    assert (found.code, found.out.strip()) == (0, str(tmp_path / "codes.npz"))
    with np.load(tmp_path / "codes.npz") as codes:
        assert codes["codes"].shape == (360, 8)
    assert "exists already" in refused(1, "merge", *parts, "-o", tmp_path / "codes.npz")
    assert narrows("merge", *parts, "-o", tmp_path / "codes.npz", "--force", "--remove").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npz"]


def test_what_cannot_be_joined_is_reported_in_words(narrows, refused, trained, tmp_path):
    encoded(narrows, trained, tmp_path, "1/3", "3/3")
    assert "share 2 of 3 is missing; run with --shard 2/3" in refused(
        1, "merge", tmp_path / "x.npz"
    )
    encoded(narrows, trained, tmp_path, "2/3", run="denoiser")
    assert "x-2-of-3.npz has another model than" in refused(1, "merge", tmp_path / "x.npz")
    assert "got 'no name', expected an output" in refused(2, "merge")
    assert "has no parts next to it" in refused(1, "merge", tmp_path / "y.npz")
    assert not (tmp_path / "x.npz").exists()
