"""Ours against what a user would run or write instead, side by side on one machine: `python -m scripts.bench`.

A contest runs its sides in turn, each in a process of its own with fresh folders and a fresh Hub on localhost. A row of
the table puts a figure of ours over the same figure of a peer, and the ratio against its goal.
"""
