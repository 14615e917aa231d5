"""The consumer matrix: do our files work, with the same answers, for everyone who reads such files?

Each consumer is a program of `programs/` in an environment of its own, without our code: it gets a model file and
photos, and gives back scores and the labels that it saw. `python -m tests.consumers` asks them all.
"""
