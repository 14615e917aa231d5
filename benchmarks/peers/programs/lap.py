"""What each program here does: answer all frames once, then time as many as it is asked for, again and again.

A program is called `PROGRAM MODEL FRAMES NUM_THREADS ARGUMENT...`. It writes a line of JSON about itself, then for each
line with a number on stdin the times of so many frames in ms, until stdin ends. Needs NumPy and nothing of ours.
"""

import itertools
import json
import sys
import time

import numpy as np

WARMUP = 3  # frames untimed in each lap: others have been at work and the processor's caches are theirs


def serve(version, answer, before=lambda frame: frame, label=int):
    """Answer and time.

    Args:
        version: Of the runtime.
        answer: What is timed: takes what `before` gives.
        before: Makes of a BGR frame (H, W, 3) uint8 what is timed; untimed itself.
        label: Makes of what `answer` gives the index of the best class; untimed.
    """
    with np.load(sys.argv[2], allow_pickle=False) as file:
        frames = list(file["frames"])
    told = {"version": version, "answers": [label(answer(before(frame))) for frame in frames]}
    print(json.dumps(told), flush=True)
    following = itertools.cycle(frames)
    for line in sys.stdin:
        times = []
        for _ in range(WARMUP + int(line)):
            given = before(next(following))
            start = time.perf_counter()
            answer(given)
            times.append((time.perf_counter() - start) * 1e3)
        print(json.dumps(times[WARMUP:]), flush=True)
