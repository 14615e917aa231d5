import pytest

from edge import findings_cameras
from edge.findings_cameras import examine_cameras


@pytest.fixture
def board(tmp_path):
    """Return a function that makes a video device as Linux shows it."""

    def add(number, name, index=0, device=True):
        folder = tmp_path / f"sys/class/video4linux/video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "index").write_text(f"{index}\n")
        if device:
            (tmp_path / "dev").mkdir(exist_ok=True)
            (tmp_path / f"dev/video{number}").touch()
        return tmp_path

    return add


def test_usb_cameras_are_named_by_their_source(board):
    board(10, "bcm2835-codec-decode")
    board(2, "HD Webcam: HD Webcam", 1)
    (finding,) = examine_cameras(board(0, "HD Webcam: HD Webcam"))
    assert (finding.state, finding.found) == ("ok", "HD Webcam: HD Webcam: --source 0")


def test_no_camera_and_no_permission_and_no_device(board, tmp_path, monkeypatch):
    assert "rpicam-hello --list-cameras" in examine_cameras(tmp_path)[0].mend
    board(0, "one")
    root = board(1, "two", device=False)
    monkeypatch.setattr(findings_cameras.os, "access", lambda *_: False)
    first, second = examine_cameras(root)
    assert (first.state, first.mend) == ("error", "run: sudo usermod -aG video $USER, then log in again")
    assert second.found == "two: /dev/video1 is missing"


@pytest.mark.parametrize("name", ["unicam-image", "rp1-cfe-csi2_ch0"])
def test_a_ribbon_cable_needs_picamera2(name, board, monkeypatch):
    root = board(0, name)
    monkeypatch.setattr(findings_cameras.importlib.util, "find_spec", lambda name: None)
    (finding,) = examine_cameras(root)
    assert finding.state == "warning"
    assert "python3-picamera2" in finding.mend
    monkeypatch.setattr(findings_cameras.importlib.util, "find_spec", lambda name: name)
    assert "--source picamera2" in examine_cameras(root)[0].found
