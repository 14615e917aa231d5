import pytest

from edge import devices
from edge.devices import Identity, find_again, identify, list_cameras, list_devices
from tests.cameras import NAME, Bench


@pytest.fixture
def bench(tmp_path):
    with Bench(tmp_path).installed() as bench:
        yield bench


def test_devices_come_by_number_not_by_letter(bench):
    for name in ("video10", "video2", "video0", "video-encoder", "null"):
        (bench.dev / name).touch()
    assert list_devices() == [str(bench.dev / name) for name in ("video0", "video2", "video10")]
    assert devices.device_of(7) == str(bench.dev / "video7")


def test_a_camera_is_known_by_its_driver_and_by_udev(bench):
    device = bench.plug_in(3)
    known = Identity(str(device), frozenset({"usb-scripted-camera-index0"}), NAME, "0")
    assert identify(str(device)) == known
    assert identify(str(bench.links / "usb-scripted-camera-index0")) == known
    assert str(known) == f"{device} ({NAME})"
    assert str(Identity("picamera2")) == "picamera2"


def test_what_is_not_there_or_has_no_name_is_known_by_its_place(bench):
    (bench.dev / "video4").touch()
    assert identify(str(bench.dev / "video4")) == Identity(str(bench.dev / "video4"))
    assert identify("/dev/video97") == Identity("/dev/video97")
    loop = bench.dev / "loop"
    loop.symlink_to(loop)
    assert identify(str(loop)).device == str(loop)


def test_the_codecs_of_a_pi_are_no_cameras(bench):
    for number, name in enumerate(["bcm2835-codec-decode", "pispbe-input", "unicam-image", "rp1-cfe-csi2_ch0", NAME]):
        bench.plug_in(number, name, link=f"link{number}")
    assert [camera.device for camera in list_cameras()] == [str(bench.dev / "video4")]


def test_it_is_found_by_its_link_whatever_its_number(bench):
    camera = identify(str(bench.plug_in(0)))
    bench.unplug(bench.dev / "video0")
    assert find_again(camera) == []
    bench.plug_in(0, link="usb-its-twin")  # of the same make, and another serial number
    bench.plug_in(5)
    assert find_again(camera) == [str(bench.dev / "video5")]


def test_it_is_found_by_its_name_where_udev_says_nothing(tmp_path):
    with Bench(tmp_path, has_link=False).installed() as bench:
        camera = identify(str(bench.plug_in(1)))
        bench.plug_in(0, "Another Camera")
        metadata = bench.plug_in(2)
        (bench.names / metadata.name / "index").write_text("1\n")
        bench.plug_in(3)
        assert find_again(camera) == [str(bench.dev / f"video{number}") for number in (1, 3, 2)]
        bench.unplug(bench.dev / "video1")
        assert find_again(camera) == [str(bench.dev / f"video{number}") for number in (3, 2)]


def test_a_link_that_udev_has_not_made_yet_does_not_hide_it(bench):
    camera = identify(str(bench.plug_in(0)))
    (bench.links / "usb-scripted-camera-index0").unlink()
    assert find_again(camera) == [str(bench.dev / "video0")]


def test_where_no_name_is_known_all_are_tried_its_own_place_first(bench):
    for number in (0, 1, 2):
        (bench.dev / f"video{number}").touch()
    assert find_again(Identity(str(bench.dev / "video1"))) == [
        str(bench.dev / f"video{number}") for number in (1, 0, 2)
    ]
