"""From what was read to what will be written: pure functions over frozen data.

    scope -> placement -> mapping -> match -> diff -> policy -> order, composed in `make.py`

Nothing in here imports a client, a clock, the environment or a logger.
"""
