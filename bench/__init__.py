"""Benchmarks: `./dev bench` measures side by side, in one go, and writes docs/benchmarks.md.

Ratios between what ran in the same rounds are the result; absolute times belong to the machine.
"""
