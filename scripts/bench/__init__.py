"""Ours against what a user would run or write instead, side by side on one machine: `python -m scripts.bench`.

A comparison runs its sides in turn, each in a process of its own with fresh folders and a fresh Hub on localhost. A row
of the table puts the median of what one side measured over that of another, and the ratio against its goal.

To add one: in `pushes`, `pieces` or `readers` a function for a side, which does one run and returns what it measured by
name; in `comparisons` a function that names the sides and has a Row for each line of the table. A name that ends in
`seconds` or `bytes` is shown as that, any other as a count.
"""
