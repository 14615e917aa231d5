from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UserError
from train.csv_source import read_csv

HEADER = "class id,filepaths,labels,data set\n"


def read(folder, content, **settings):
    path = folder / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, **settings)


def rows(source):
    return [(each.path.as_posix(), each.label, each.split) for each in source.candidates]


def refused(source):
    return {each.path: each.reason.partition(": ")[2] for each in source.unreadable}


def test_the_columns_of_kaggles_sports(tmp_path):
    source = read(
        tmp_path,
        HEADER + "0,train/air hockey/001.jpg,air hockey,train\n0,valid/air hockey/1.jpg, air hockey ,valid\n"
        "1,test/archery/1.jpg,archery,test\n1,train/archery/1.jpg,archery,train\n",
    )
    assert source.labels == ("air hockey", "archery")
    assert rows(source) == [
        ("test/archery/1.jpg", "archery", "test"),
        ("train/air hockey/001.jpg", "air hockey", "train"),
        ("train/archery/1.jpg", "archery", "train"),
        ("valid/air hockey/1.jpg", "air hockey", "validation"),
    ]
    assert (source.root, source.name) == (tmp_path, "list")
    assert source.notes == ("Columns of list.csv that aren't used: class id",)
    assert source.unreadable == ()


@pytest.mark.parametrize(
    "path", ["filepaths", "FilePath", "file_path", "path", "File", "filename", "image", "image-path"]
)
@pytest.mark.parametrize("label", ["labels", "Label", "CLASS", "category"])
@pytest.mark.parametrize("split", ["data set", "dataset", "Split", "subset"])
def test_columns_go_by_many_names(tmp_path, path, label, split):
    source = read(tmp_path, f"{split},{path},{label}\nTrain,1.png,cat\nVALIDATION,2.png,dog\n,3.png,dog\n")
    assert rows(source) == [("1.png", "cat", "train"), ("2.png", "dog", "validation"), ("3.png", "dog", None)]


def test_the_name_that_says_more_wins(tmp_path):
    assert rows(read(tmp_path, "file,filepath,class,label\na,b.png,0,cat\na,c.png,1,dog\n")) == [
        ("b.png", "cat", None),
        ("c.png", "dog", None),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_how_spreadsheets_save(tmp_path, delimiter, encoding, newline):
    lines = [["path", "label"], ['"Tür, offen; 1.png"', "Tür"], ["2.png", '"the ""other"""'], ["3.png"], []]
    text = newline.join(delimiter.join(line) for line in lines)
    source = read(tmp_path, text.encode(encoding))
    assert rows(source) == [("2.png", 'the "other"', None), ("Tür, offen; 1.png", "Tür", None)]
    assert refused(source) == {"3.png": "no label"}
    assert ("list.csv isn't UTF-8; read as Windows-1252" in source.notes) == (encoding == "cp1252")


def test_rows_that_lead_nowhere_are_told(tmp_path):
    good = f"a.png,cat,train\n.\\sub\\b.png,dog,test\n{tmp_path}/c.png,dog,train\n"
    bad = "/etc/passwd,cat,\n../x.png,cat,\nsub/../../x.png,cat,\nC:\\x.png,cat,\n,cat,\n.,cat,\nd.png,,\n"
    long = f"{'x' * 5000},cat,\ne.png,{'y' * 300},\nf.png,cat,holdout\n"
    source = read(tmp_path, "path,label,split\n" + good + bad + long)
    assert rows(source) == [("a.png", "cat", "train"), ("c.png", "dog", "train"), ("sub/b.png", "dog", "test")]
    found = refused(source)
    assert [found.pop(path) for path in ("/etc/passwd", "C:\\x.png".replace("\\", "\\"))] == [
        "an absolute path; paths start from the list's folder"
    ] * 2
    assert [found.pop(path) for path in ("../x.png", "sub/../../x.png", ".")] == [
        "no path inside the list's folder"
    ] * 3
    assert (found.pop("list.csv, line 9"), found.pop("d.png")) == ("no path", "no label")
    assert (found.pop("x" * 200), found.pop("e.png")) == ("a path of 5,000 characters", "a label of 300 characters")
    assert found == {"f.png": "the split 'holdout', expected train, valid or test"}


def test_a_row_that_repeats_another_is_one_photo(tmp_path):
    source = read(tmp_path, "path,label\n1.png,cat\n./1.png,cat\n2.png,dog\n1.png,dog\n")
    assert rows(source) == [("1.png", "cat", None), ("1.png", "dog", None), ("2.png", "dog", None)]
    assert source.notes == ("Rows of list.csv that repeat another: 1",)


def test_groups_come_from_a_column(tmp_path):
    text = "path,label,Patient_ID\n1.png,cat,7\n2.png,dog, 7 \n3.png,dog,\n"
    assert [each.group for each in read(tmp_path, text, group_by="patient id").candidates] == ["7", "7", ""]
    assert [each.group for each in read(tmp_path, text, group_by="doctor").candidates] == ["", "", ""]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "its first line has: nothing"),
        ("path,class id\n1.png,0\n", "column of labels .* its first line has: path, class id"),
        ("id;label\n1;cat\n", "column of paths .* its first line has: id, label"),
        ("path,label\n", "found none"),
        ("path,label\n1.png,cat\n", "only 'cat'"),
        ("path,label,split\n1.png,cat,train\n2.png,dog,test\n", "only 'cat'"),
        ("path,label,split\n1.png,cat,train\n2.png,dog,train\n3.png,cow,test\n", "got 'cow'"),
        ("path,label\n/1.png,cat\n/2.png,dog\n", "got none; /1.png: list.csv, line 2: an absolute path"),
        ("path,label\n1.png,cat\n2.png,a\x1b[31mb\n", r"'a\\x1b\[31mb'"),
        (b"path,label\n\x00.png,cat\n", "NUL"),
        (b"path,label\n\xff\x81.png,cat\n", "no known encoding"),
        (b"\xff\xfepat", "no known encoding"),
        (f"path,label\n1.png,{'x' * 200_000}\n", "line 2: field larger"),
        (f'path,label\n1.png,"{"x,y" * 100_000}\n', "field larger"),
    ],
)
def test_what_is_no_list_is_refused_in_one_line(tmp_path, content, reason):
    with pytest.raises(UserError, match=reason) as raised:
        read(tmp_path, content)
    assert "\n" not in str(raised.value)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200).map(lambda tail: b"path,label,split\n" + tail) | st.binary(max_size=200))
def test_whatever_it_holds_paths_stay_inside_its_folder(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    try:
        source = read(folder, content)
    except UserError:
        return
    for candidate in source.candidates:
        assert not candidate.path.is_absolute()
        assert ".." not in candidate.path.parts
        assert candidate.path != Path()
        assert candidate.split in (None, "train", "validation", "test")
