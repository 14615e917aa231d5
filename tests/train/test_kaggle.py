import sys
from types import SimpleNamespace

import pytest

from edge.errors import MissingPackage, UserError
from edge.extras import explained
from train.catalogue import find_source
from train.kaggle import find_kaggle


@pytest.fixture
def kagglehub(monkeypatch, tmp_path):
    """Stand in for kagglehub: what its download returns or raises is set by a test."""
    module = SimpleNamespace(result=tmp_path, asked=[])

    def dataset_download(handle):
        module.asked.append(handle)
        if isinstance(module.result, Exception):
            raise module.result
        return str(module.result)

    module.dataset_download = dataset_download
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return module


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_data_set_is_read_where_it_was_downloaded_to(kagglehub, tmp_path):
    touch(tmp_path, "train/air hockey/1.jpg", "train/archery/1.jpg", "test/archery/2.jpg", "sports.csv", "net.h5")
    source = find_source("kaggle:gpiosenska/sports-classification")
    assert kagglehub.asked == ["gpiosenska/sports-classification"]
    assert (source.name, source.labels) == ("sports-classification", ("air hockey", "archery"))
    assert source.origin == "https://www.kaggle.com/datasets/gpiosenska/sports-classification"
    assert source.strays == ("net.h5", "sports.csv")


def test_photos_may_lie_deeper(kagglehub, tmp_path):
    touch(tmp_path, "archive/dataset/cat/1.jpg", "archive/dataset/dog/1.jpg", ".complete")
    assert find_kaggle("me/pets/versions/3").root == tmp_path / "archive" / "dataset"


def test_a_list_serves_where_there_are_no_folders(kagglehub, tmp_path):
    (tmp_path / "about.csv").write_text("a,b\n1,2\n")
    (tmp_path / "labels.csv").write_text("file,label,patient\n1.png,cat,a\n2.png,dog,b\n")
    source = find_kaggle("me/pets", "patient")
    assert [each.group for each in source.candidates] == ["a", "b"]


def test_neither_folders_nor_a_list(kagglehub, tmp_path):
    touch(tmp_path, "a.parquet", "b.csv")
    with pytest.raises(UserError, match="one folder per class"):
        find_kaggle("me/pets")


@pytest.mark.parametrize("handle", ["", "pets", "me/pets/more", "../../etc", "me/pets\n", "me/pe ts"])
def test_what_is_no_handle_is_not_asked_for(kagglehub, handle):
    with pytest.raises(UserError, match="kaggle:OWNER/NAME"):
        find_kaggle(handle)
    assert kagglehub.asked == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError("refused"), "Kaggle can't be reached"),
        (PermissionError("403 Client Error.\n\nYou don't have permission"), "403 Client Error. You don't have"),
        (ValueError("x" * 1000), "x{200}\\.\\.\\."),
        (ValueError(), "ValueError"),
    ],
)
def test_a_download_that_fails_is_one_line(kagglehub, error, reason):
    kagglehub.result = error
    with pytest.raises(UserError, match=reason) as raised:
        find_kaggle("me/pets")
    assert "\n" not in str(raised.value)
    assert "pass its folder as --data" in str(raised.value)


def test_requests_errors_are_told_as_what_they_are(kagglehub):
    requests = pytest.importorskip("requests")
    kagglehub.result = requests.ConnectionError("HTTPSConnectionPool(...): Max retries exceeded")
    with pytest.raises(UserError, match="Kaggle can't be reached"):
        find_kaggle("me/pets")


def test_without_kagglehub_its_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(MissingPackage, match=r"kagglehub is not installed.*\[edge,datasets\]"), explained():
        find_kaggle("me/pets")
