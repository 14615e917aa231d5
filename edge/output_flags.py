"""Where answers go: the flags, and one callable that feeds all that they ask for.

What can't be opened at the start is one line and exit code 1. What fails later never stops the loop: it is told once,
and once more when it works again.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge.answer_lines import open_lines
from edge.command import positive_int

if TYPE_CHECKING:
    from edge.answers import Answer
    from edge.classifier import Classifier
    from edge.decisions import Judge

Sink = Callable[["Answer"], None]
Report = Callable[[str], None]
_UNCERTAIN_EVERY_S = 1.0  # a still scene would fill the folder with one photo
_MIB = 1 << 20


def add_decision_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags that say what is decided on top of an answer."""
    flags.add_argument("--top-k", type=positive_int, default=1, metavar="K", help="name the K likeliest classes")
    flags.add_argument(
        "--threshold",
        type=share,
        metavar="SHARE",
        help="confidence, 0 to 1, below which an answer is unknown, instead of the model's own",
    )


def add_output_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags of where answers go."""
    add_decision_flags(flags)
    flags.add_argument(
        "--smooth",
        type=positive_int,
        default=1,
        metavar="N",
        help="let the latest N frames vote: the decision changes where another has more than half of them",
    )
    flags.add_argument(
        "--on-change", action="store_true", help="write lines and publish only where the decision changed"
    )
    flags.add_argument(
        "--jsonl", type=Path, metavar="FILE", help="append the answers to FILE as JSON, one a line; - is stdout"
    )
    flags.add_argument(
        "--jsonl-max-mb", type=megabytes, metavar="MB", help="begin a new FILE at this size; the older is FILE.1"
    )
    flags.add_argument("--jsonl-keep", type=positive_int, default=3, metavar="N", help="older files that stay")
    flags.add_argument(
        "--mqtt",
        metavar="ADDRESS",
        help="publish to mqtt://user@host:1883/topic, or mqtts:// for TLS; password in TINYSIGHT_MQTT_PASSWORD",
    )
    flags.add_argument(
        "--mqtt-ca", type=Path, metavar="FILE", help="the CA, as PEM text, that signed the broker's certificate"
    )
    flags.add_argument(
        "--mqtt-discovery",
        default="homeassistant",
        metavar="PREFIX",
        help='where Home Assistant looks for new devices; "" announces nothing',
    )
    flags.add_argument("--video-out", type=Path, metavar="FILE", help="write a video with the answers on it")
    flags.add_argument("--video-fps", type=positive_int, default=10, metavar="N", help="frames a second of that video")
    flags.add_argument("--save-uncertain", type=Path, metavar="DIR", help="keep frames below the threshold, to label")
    flags.add_argument("--snapshot-on-change", type=Path, metavar="DIR", help="keep a frame where the decision changed")
    flags.add_argument("--keep-files", type=positive_int, default=1000, metavar="N", help="frames kept in each DIR")
    flags.add_argument("--keep-mb", type=megabytes, default=200.0, metavar="MB", help="size of each DIR; the oldest go")


def share(text: str) -> float:
    """Parse a number of 0 to 1, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number of 0 to 1, got {text!r}")
    return value


def megabytes(text: str) -> float:
    """Parse a size in MiB above 0, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1 << 30:
        raise argparse.ArgumentTypeError(f"expected a size in MB above 0, got {text!r}")
    return value


def make_judge(given: argparse.Namespace, classifier: Classifier) -> Judge:
    """Return what judges a frame, as the flags say."""
    from edge.decisions import Judge

    return Judge(classifier, top_k=given.top_k, threshold=given.threshold, smooth=given.smooth)


@contextlib.contextmanager
def open_outputs(given: argparse.Namespace, report: Report) -> Iterator[Sink]:
    """Open all outputs that the flags ask for and give one callable that takes each answer.

    Args:
        given: The parsed flags of `add_output_flags`.
        report: Is told in a line when an output fails, works again, or waits.

    Raises:
        UserError: If one can't be opened.
    """
    with contextlib.ExitStack() as stack:
        always: list[Sink] = []
        changes: list[Sink] = []
        if given.mqtt is not None:
            changes.append(_guard("MQTT", _open_mqtt(given, report, stack), report))
        if given.video_out is not None:
            from edge.annotated_video import AnnotatedVideo

            video = AnnotatedVideo(given.video_out, given.video_fps)
            stack.callback(video.close)
            always.append(_guard(str(given.video_out), video.write, report))
        if given.save_uncertain is not None:
            folder = _keep_in(given, given.save_uncertain)
            always.append(_only_uncertain(_guard(str(given.save_uncertain), folder, report)))
        if given.snapshot_on_change is not None:
            folder = _keep_in(given, given.snapshot_on_change)
            always.append(_only_changes(_guard(str(given.snapshot_on_change), folder, report)))
        # The last to open, so that it is the first to see a start that failed, and leaves no empty file behind.
        max_bytes = None if given.jsonl_max_mb is None else int(given.jsonl_max_mb * _MIB)
        write = stack.enter_context(open_lines(given.jsonl, max_bytes, given.jsonl_keep))
        lines = _guard(str(given.jsonl) if given.jsonl is not None else "stdout", write, report)
        changes.insert(0, lines)
        always[:0] = [_only_changes(sink) for sink in changes] if given.on_change else changes

        def feed(answer: Answer) -> None:
            for sink in always:
                sink(answer)

        yield feed


def _open_mqtt(given: argparse.Namespace, report: Report, stack: contextlib.ExitStack) -> Sink:
    """Return what publishes an answer."""
    import edge
    from edge.broker import check_topic, parse_broker
    from edge.mqtt import Publisher, discovery

    broker = parse_broker(given.mqtt, given.mqtt_ca)
    if given.mqtt_discovery:
        check_topic(given.mqtt_discovery, "--mqtt-discovery")
    announcements = discovery(broker, given.mqtt_discovery, edge.__version__) if given.mqtt_discovery else {}
    publisher = Publisher(broker, announcements, report)
    stack.callback(publisher.close)
    return publisher.write


def _keep_in(given: argparse.Namespace, folder: Path) -> Sink:
    """Return what keeps frames in a folder within the bounds."""
    from edge.kept_frames import FrameFolder

    return FrameFolder(folder, given.keep_files, int(given.keep_mb * _MIB)).save


def _guard(name: str, sink: Sink, report: Report) -> Sink:
    """Return a sink that never raises, but for a reader of stdout who left: that is how `... | head` ends a loop."""
    failing = False

    def write(answer: Answer) -> None:
        nonlocal failing
        try:
            sink(answer)
        except BrokenPipeError:
            if name in ("stdout", "-"):
                raise
            failing = _tell(report, failing, f"{name} fails: its reader left; going on without")
        except Exception as error:  # whatever a disk, a codec or a network comes up with
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            failing = _tell(report, failing, f"{name} fails: {reason}; going on without until it works again")
        else:
            if failing:
                report(f"{name} works again")
            failing = False

    return write


def _tell(report: Report, told: bool, line: str) -> bool:
    """Report a failure that wasn't told yet; return True."""
    if not told:
        report(line)
    return True


def _only_changes(sink: Sink) -> Sink:
    """Return a sink that takes an answer only where its decision is another than the last; the first one is."""
    last: tuple[str | None] | None = None

    def write(answer: Answer) -> None:
        nonlocal last
        if last != (answer.decision,):
            last = (answer.decision,)
            sink(answer)

    return write


def _only_uncertain(sink: Sink) -> Sink:
    """Return a sink that takes answers below the threshold, of cameras and videos one a second."""
    latest = float("-inf")

    def write(answer: Answer) -> None:
        nonlocal latest
        if answer.is_sure:
            return
        is_photo = answer.shot.path is not None
        if is_photo or not 0 <= answer.shot.taken - latest < _UNCERTAIN_EVERY_S:
            latest = answer.shot.taken
            sink(answer)

    return write
