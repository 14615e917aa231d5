"""Accuracy, size and latency of converted models; runs on the device."""
