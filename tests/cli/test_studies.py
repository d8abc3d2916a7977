"""Verbs that run studies: demo, lab, study, report."""

import os
from pathlib import Path

import pytest

from narrows.data.named_sets.fetch import SUMS
from narrows.model.files import store

LAB = """
title = "Lab {name}: tiny"
data = "{data}"
[[runs]]
name = "ae"
recipe = "ae-mlp"
changes = {{ epochs = 1, batch_size = 64, body = {{ widths = [16] }} }}
[[runs]]
name = "pca"
recipe = "pca"
changes = {{ n_components = 2 }}
[[numbers]]
label = "loss"
run = "ae"
history = "loss"
published = {published}
[[figures]]
kind = "curves"
title = "Loss"
options = {{ of = ["loss"] }}
"""


@pytest.fixture
def labs(tmp_path, monkeypatch):
    """A function that puts two tiny labs, X and Y, in the place of all labs; the data of X are as
    given.
    """

    def put(data: str = "digits") -> None:
        files = {name: tmp_path / "files" / f"{name}.toml" for name in ("demo", "x", "y")}
        files["x"].parent.mkdir(exist_ok=True)
        for published, (name, path) in enumerate(files.items()):
            text = LAB.format(
                name=name.upper(),
                data=data if name == "x" else "digits",
                published=float(published),
            )
            path.write_text(text)
        monkeypatch.setattr("narrows.study.labs.lab_files", lambda: files)

    put()
    return put


# -- studies ---------------------------------------------------------------------------------------


def test_a_study_is_run_with_the_changes_asked_for(narrows, tmp_path, study_text, record):
    (tmp_path / "mine.toml").write_text(study_text)
    found = narrows(
        "study",
        tmp_path / "mine.toml",
        "-o",
        tmp_path / "out",
        "--epochs",
        "1",
        "--no-tsne",
        "--json",
    )
    tables = found.json()
    model = store.load(tmp_path / "out" / "runs" / "a")
    assert model.epochs_ == 1
    (row,) = tables["Published and faithful"]
    assert row["faithful"] == pytest.approx(model.history_["loss"][0])
    assert row["difference"] == pytest.approx(row["faithful"] - 3)
    titles = [figure["title"] for figure in record(tmp_path / "out")["figures"]]
    assert len(titles) == 2
    assert all("principal components" in title for title in titles)


def test_codes_are_laid_out_quickly_where_that_is_asked_for(narrows, tmp_path, study_text, record):
    (tmp_path / "mine.toml").write_text(study_text)
    where = (tmp_path / "mine.toml", "-o", tmp_path / "out", "--epochs", "1")
    assert narrows("study", *where, "--quick-tsne").code == 0
    assert all(
        "by their nearest" in figure["title"] for figure in record(tmp_path / "out")["figures"]
    )


def test_a_study_goes_into_a_folder_of_its_name(narrows, tmp_path, monkeypatch, photos, study_text):
    monkeypatch.chdir(tmp_path)
    text = study_text[: study_text.index("[[numbers]]")].replace('"digits"', '"no such set"')
    (tmp_path / "mine.toml").write_text(text)
    assert (
        narrows(
            "study", "mine.toml", "--data", photos, "--epochs", "1", "--set", "n_components=2"
        ).code
        == 0
    )
    assert (tmp_path / "narrows-mine" / "report.html").exists()
    assert store.load(tmp_path / "narrows-mine" / "runs" / "p").code_size_ == 2


def test_a_study_with_wrong_names_reports_them_all(refused, tmp_path, study_text):
    (tmp_path / "bad.toml").write_text(
        study_text.replace('"ae-mlp"', '"ae-mpl"').replace('"codes"', '"code"')
    )
    told = refused(1, "study", tmp_path / "bad.toml")
    assert "did you mean 'ae-mlp'?" in told
    assert "did you mean 'codes'?" in told


def test_report_draws_the_page_again(narrows, refused, trained):
    page = trained["pca"] / "report.html"
    before = page.read_bytes()
    page.unlink()
    found = narrows("report", trained["pca"])
    assert (found.code, found.out.strip()) == (0, str(page))
    assert page.read_bytes() == before
    assert "holds no run.json" in refused(1, "report", trained["pca"] / "figures")


# -- labs ------------------------------------------------------------------------------------------


def test_the_demo_is_a_sound_study_of_the_embedded_digits():
    from narrows.study.labs import lab_file
    from narrows.study.schema import read_study

    assert read_study(lab_file("demo")).data == "digits"


@pytest.mark.slow
def test_a_lab_is_run_by_its_letter(narrows, tmp_path):
    root = Path(os.environ.get("NARROWS_DATA") or "nowhere", "mnist")
    if not all((root / file).exists() or (root / f"{file}.gz").exists() for file in SUMS["mnist"]):
        pytest.skip("$NARROWS_DATA does not hold mnist")
    found = narrows("lab", "c", "-o", tmp_path / "c", "--epochs", "1", "--json")
    rows = found.json()["Published and faithful"]
    assert rows[0]["published"] == 165.3
    assert abs(rows[0]["difference"]) < 8
    assert [row["faithful"] for row in rows[1:]] == [None] * 4
    assert (tmp_path / "c" / "model.safetensors").exists()


@pytest.mark.parametrize("letter", ["X", "x"])
def test_a_lab_goes_into_a_folder_of_its_name(narrows, labs, tmp_path, monkeypatch, record, letter):
    monkeypatch.chdir(tmp_path)
    found = narrows("lab", letter)
    assert found.code == 0
    assert record("narrows-lab-x")["title"] == "Lab X: tiny"
    assert found.err.splitlines()[-1] == f"The report: {tmp_path / 'narrows-lab-x' / 'report.html'}"


def test_all_labs_go_into_folders_side_by_side_with_an_index(
    narrows, labs, tmp_path, monkeypatch, record
):
    monkeypatch.chdir(tmp_path)
    found = narrows("lab", "all", "--epochs", "2")
    assert found.code == 0
    folder = tmp_path / "narrows-labs"
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "x", "y"]
    assert [line for line in found.out.splitlines() if line.startswith("Lab ")] == [
        "Lab X",
        "Lab Y",
    ]
    for name, published in (("x", 1), ("y", 2)):
        assert (folder / name / "report.html").is_file()
        assert store.load(folder / name / "runs" / "ae").epochs_ == 2
        (row,) = record(folder / name)["tables"][0]["rows"]
        assert row["published"] == published
        assert f"{row['faithful']:.4g}" in found.out
    assert found.err.splitlines()[-1] == f"The index: {folder / 'index.html'}"
    assert "Lab Y: tiny" in (folder / "index.html").read_text()


def test_all_labs_as_json_are_all_their_tables(narrows, labs, tmp_path, record):
    found = narrows("lab", "all", "-o", tmp_path / "all", "--json").json()
    assert list(found) == ["X", "Y"]
    for name, tables in found.items():
        kept = {
            table["title"]: table["rows"]
            for table in record(tmp_path / "all" / name.lower())["tables"]
        }
        assert list(tables) == list(kept)
        for title, rows in kept.items():
            assert tables[title] == [pytest.approx(row) for row in rows]


def test_a_lab_that_fails_does_not_stop_the_others(narrows, labs, tmp_path):
    labs(data=str(tmp_path / "nothing.npz"))
    found = narrows("lab", "all", "-o", tmp_path / "all")
    assert found.code == 1
    assert "there is no file or folder" in found.err.splitlines()[-1]
    assert (tmp_path / "all" / "y" / "report.html").is_file()
    index = (tmp_path / "all" / "index.html").read_text()
    assert "Lab Y: tiny" in index
    assert "Lab X: tiny" not in index


def test_labs_taken_up_again_train_only_what_has_changed_or_failed(
    narrows, refused, labs, tmp_path
):
    order = ("lab", "all", "-o", tmp_path / "all", "--json")
    labs(data="digits-of-none")
    assert narrows(*order).code == 2
    assert "exists already" in refused(1, *order)
    labs()
    found = narrows(*order, "--reuse")
    assert found.code == 0
    assert found.err.count("already trained") == 2
    assert found.err.count(": training ") == 2
    last = narrows(*order, "--reuse")
    assert (last.err.count("already trained"), last.err.count(": training ")) == (4, 0)
    for name, tables in found.json().items():
        (ours,), (theirs,) = (
            last.json()[name]["Published and faithful"],
            tables["Published and faithful"],
        )
        assert ours == pytest.approx(theirs)


def test_report_draws_all_labs_and_their_index_again(narrows, labs, tmp_path):
    folder = tmp_path / "all"
    assert narrows("lab", "all", "-o", folder).code == 0
    before = {path: path.read_bytes() for path in folder.rglob("*.html")}
    assert len(before) == 3
    for path in before:
        path.unlink()
    found = narrows("report", folder)
    assert (found.code, found.out.strip()) == (0, str(folder / "index.html"))
    assert {path: path.read_bytes() for path in folder.rglob("*.html")} == before
