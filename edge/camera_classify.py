"""Says what a camera sees, frame after frame.

    python edge/camera_classify.py --model model_int8.tflite --source 0

Runs from a checkout, installed (`python -m edge.camera_classify`), or from a copy of this folder alone with numpy,
OpenCV and one runtime. Ends with exit code 0 at the end of a video or folder, after --max-frames answers, and on
Ctrl-C or SIGTERM, which are how an endless loop is ended. `tinysight.service` beside it runs it for months; systemd is
told that the loop goes on, and starts it anew where it doesn't.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by path: the folder above edge/ takes the place of edge/ itself
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from edge.answers import Answer, Tally, printable
from edge.command import command, parser, positive_int
from edge.cooling import Cooling
from edge.errors import UserError
from edge.model_flags import add_model_flags, load_classifier
from edge.output_flags import add_output_flags, make_judge, open_outputs
from edge.stop_request import StopRequest
from edge.supervisor import Supervisor

if TYPE_CHECKING:
    from edge.camera import Shot
    from edge.decisions import Judge

_DESCRIPTION = """\
Says what a camera sees: one answer a frame, as a line on stdout or as JSON. A camera or stream always gives its newest
frame; the frames that were left out are counted as dropped. A video file plays at its own pace, as a camera would,
unless --every-frame asks for all of it. A folder gives each of its photos. A camera or stream that is lost is opened
again until it is back. Ctrl-C or SIGTERM end the loop."""
_SLICE_S = 0.1  # of a pause: how soon a signal ends it


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see the module."""
    flags = _parse_flags(argv)

    from edge.camera import open_shots
    from edge.sources import parse_source

    source = parse_source(flags.source)
    stop, tally = StopRequest(), Tally()

    def skip(error: UserError) -> None:
        tally.skipped += 1
        _note(f"skipped: {error}")

    with contextlib.ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor())

        def report(line: str) -> None:
            _note(line)
            supervisor.status(line)

        write = stack.enter_context(open_outputs(flags, report))
        show = stack.enter_context(_open_window()) if flags.show else None
        stack.enter_context(stop.listening())
        # The camera before the model: the runtime greets on stderr, and a missing camera is to be one line. Where the
        # camera is waited for the other way round: a mistyped model is not to be found out hours later.
        waiting = load_classifier(flags, _note) if flags.wait else None
        if waiting is not None:
            supervisor.ready()
        shots = stack.enter_context(
            open_shots(
                source,
                every_frame=flags.every_frame,
                wait=flags.wait,
                stall_s=flags.stall_timeout,
                stopped=stop.came,
                alive=supervisor.alive,
                report=report,
                skip=skip,
            )
        )
        if stop.came():
            _note(str(tally))
            return 0
        classifier = waiting or load_classifier(flags, _note)
        if waiting is None:
            supervisor.ready()
        judge = make_judge(flags, classifier)
        cooling = Cooling(flags.max_temperature, report)
        try:
            for answer in _answers(judge, itertools.islice(shots, flags.max_frames), tally):
                write(answer)
                if (show is not None and not show(answer)) or stop.came():
                    break
                supervisor.alive()
                supervisor.progress(tally)
                _rest(cooling.pause_s(), stop.came, supervisor.alive)
        finally:
            _note(str(tally))
    if tally.skipped and not tally.answered:
        raise UserError(f"Expected photos in {source.name}, none of the {tally.skipped} could be read")
    return 0


def _answers(judge: Judge, shots: Iterator[Shot], tally: Tally) -> Iterator[Answer]:
    """Answer shot after shot."""
    for shot in shots:
        start = time.perf_counter()
        judged = judge(shot.frame)
        latency_ms = (time.perf_counter() - start) * 1e3
        top = judged.predictions if len(judged.predictions) > 1 else ()
        answer = Answer(shot, judged.predictions[0], latency_ms, judged.decision, top, judged.is_sure)
        tally.add(answer, start)
        yield answer


def _rest(seconds: float, stopped: Callable[[], bool], alive: Callable[[], None]) -> None:
    """Pause, unless the loop is to end."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stopped():
        time.sleep(min(left, _SLICE_S))
        alive()


@contextlib.contextmanager
def _open_window() -> Iterator[Callable[[Answer], bool]]:
    """Give what shows an answer in a window, and says False once the user closes it."""
    from edge.overlay import Window

    window = Window()
    try:
        yield lambda answer: window.show(answer.shot.frame, answer.to_text().strip())
    finally:
        window.close()


def _note(line: str) -> None:
    """Tell the user, beside the answers; a log on a full disk takes nothing, and the loop goes on."""
    with contextlib.suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)


def _seconds(text: str) -> float:
    """Parse seconds of 0.1 to 86,400, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"expected 0.1 to 86400 seconds, got {text!r}")
    return value


def _celsius(text: str) -> float:
    """Parse a temperature of 1 to 150 °C, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 150:
        raise argparse.ArgumentTypeError(f"expected 1 to 150 degrees Celsius, got {text!r}")
    return value


def _parse_flags(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    flags = parser("camera_classify.py", _DESCRIPTION)
    flags.add_argument(
        "--model", type=Path, default=Path("runs/latest/model_int8.tflite"), metavar="FILE", help=".tflite or .onnx"
    )
    add_model_flags(flags)
    flags.add_argument("--verify", action="store_true", help="first replay the model's golden samples; see edge.verify")
    flags.add_argument(
        "--source",
        default="auto",
        metavar="SRC",
        help="camera number, /dev/video*, picamera2 (the Pi's ribbon cable), video file, folder of photos, rtsp:// or "
        "http:// address, or auto: the first camera that gives a frame",
    )
    flags.add_argument(
        "--every-frame", action="store_true", help="answer each frame of a video file, as fast as it goes"
    )
    flags.add_argument("--max-frames", type=positive_int, metavar="N", help="end after N answers")
    flags.add_argument("--show", action="store_true", help="show the frames in a window; q or Escape ends")
    flags.add_argument("--wait", action="store_true", help="wait for a camera or stream that isn't there yet")
    flags.add_argument(
        "--stall-timeout",
        type=_seconds,
        default=2.5,
        metavar="S",
        help="a camera or stream without a frame for S seconds hangs, and is opened again; more for a time-lapse",
    )
    flags.add_argument(
        "--max-temperature",
        type=_celsius,
        default=80.0,
        metavar="C",
        help="answer less often while the processor is hotter than this many degrees Celsius",
    )
    add_output_flags(flags)
    return flags.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
