"""Other people's runtimes on the same frames and the same files as ours, in turn: `python -m benchmarks.peers`."""
