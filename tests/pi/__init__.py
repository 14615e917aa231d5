"""Tries the project on 64-bit Arm without a board: `make pi-test`; see `tests.pi.__main__`."""
