"""What a user sees of a training: a bar on a terminal, a line an epoch everywhere, curves for TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path

import tensorflow as tf
from rich.console import Console
from rich.progress import TextColumn

from train.history import Epoch, best_epoch
from train.progress import progress_bar


class Watch:
    """Shows how a training goes."""

    def __init__(self, console: Console, images: int, steps: int, epochs: int, log_folder: Path | None = None) -> None:
        """Make the bar, which is shown while `bar` is entered.

        Args:
            console: Where the bar and the lines go.
            images: Images in an epoch.
            steps: Steps in an epoch.
            epochs: Epochs at most.
            log_folder: Folder of TensorBoard's logs; None for none.
        """
        self.bar = progress_bar(console, TextColumn("{task.fields[rate]:>5} images/s  loss {task.fields[loss]}"))
        self._task = self.bar.add_task("", rate="", loss="")
        self._console, self._images, self._steps, self._epochs = console, images, steps, epochs
        self._writer = None if log_folder is None else tf.summary.create_file_writer(str(log_folder))
        self._started, self._before = 0.0, 0

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Start the bar of an epoch, from 0, at a step."""
        self._started, self._before = time.perf_counter(), step
        self.bar.reset(self._task, total=self._steps, completed=step, description=f"epoch {epoch + 1}/{self._epochs}")

    def end_step(self, step: int, loss: float) -> None:
        """Move the bar to `step` steps done; `loss` is the epoch's mean so far."""
        done = (step - self._before) * self._images / self._steps
        rate = f"{done / (time.perf_counter() - self._started):.0f}"
        self.bar.update(self._task, completed=step, rate=rate, loss=f"{loss:.3f}")

    def end_epoch(self, epochs: list[Epoch], learning_rate: float) -> None:
        """Print the last epoch's line and log it; `learning_rate` is that of its last step."""
        last = epochs[-1]
        mark = "  best so far" if best_epoch(epochs) is last else ""
        images_per_second = self._images / last.seconds
        self._console.print(
            f"epoch {last.epoch:>{len(str(self._epochs))}}/{self._epochs}"
            f"  {last.seconds:5.1f} s  {images_per_second:5.0f} images/s"
            f"  loss {last.loss:.3f}  accuracy {last.accuracy:6.1%}"
            f"  validation: loss {last.val_loss:.3f}  accuracy {last.val_accuracy:6.1%}{mark}"
        )
        if self._writer is None:
            return
        curves = {
            "loss/training": last.loss,
            "loss/validation": last.val_loss,
            "accuracy/training": last.accuracy,
            "accuracy/validation": last.val_accuracy,
            "learning rate": learning_rate,
            "images per second": images_per_second,
        }
        with self._writer.as_default(step=last.epoch):
            for name, value in curves.items():
                _log_scalar(name, value)
        self._writer.flush()


def _log_scalar(name: str, value: float) -> None:
    """Log a point of a curve as `tf.summary.scalar` does, which wants all of TensorBoard installed for it."""
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    tf.summary.write(name, tf.constant(value, tf.float32), metadata=tf.compat.v1.SummaryMetadata(plugin_data=plugin))
