import threading
import time

import pytest

from edge.batch import answer_photos, find_photos
from edge.errors import UserError


def test_folders_are_searched_in_order_and_files_are_taken_as_they_are(tmp_path):
    for name in ("b.jpg", "a.PNG", "c.txt", "sub/a.webp", "sub/deep/x.jpg", "aaa/y.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in find_photos([tmp_path, tmp_path / "c.txt"])]
    assert found == ["a.PNG", "b.jpg", "aaa/y.jpg", "sub/a.webp", "sub/deep/x.jpg", "c.txt"]


def test_a_missing_path_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"Expected a photo or a folder at .*none, there is none"):
        list(find_photos([tmp_path / "none"]))


def test_answers_come_in_order_few_are_begun_ahead_and_each_judge_has_one_thread(digits_photos, monkeypatch):
    photos = sorted((digits_photos / "zero").iterdir())[:60]
    asked, busy = [], []
    monkeypatch.setattr("edge.batch.read_frame", lambda path: path)

    class Judge:
        def __init__(self):
            self.lock = threading.Lock()

        def __call__(self, path):
            if not self.lock.acquire(blocking=False):
                busy.append(path)
                return path
            time.sleep(0.001 * (hash(path.name) % 3))  # some are quicker than others
            self.lock.release()
            return path

    def ask():
        for photo in photos:
            asked.append(photo)
            yield photo

    answered = []
    for answer in answer_photos([Judge(), Judge(), Judge()], ask()):
        answered.append(answer.judgement)
        assert len(asked) - len(answered) <= 3 * 4
    assert answered == photos
    assert busy == []


def test_a_broken_photo_is_told_in_its_place(digits_photos, tmp_path):
    photo = next((digits_photos / "zero").iterdir())
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    first, second = answer_photos([lambda frame: frame.shape], [tmp_path / "broken.jpg", photo])
    assert first.judgement is None
    assert "do not decode" in first.error
    assert second.judgement == (32, 32, 3)
