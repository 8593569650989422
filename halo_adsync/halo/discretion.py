"""Discretion: what Halo is asked for stays out of the logs of the library that asks it.

At the level DEBUG, urllib3 logs the address of every request. A look-up by login or mail address stands
there, after the question mark. What comes before it names a kind of record, or its id.
"""

import logging
from typing import override

REQUESTS_LOG = "urllib3.connectionpool"


class _WithoutQueries(logging.Filter):
    """Cuts the query off every address in a record."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_cut, record.args))
        return True


def _cut(argument: object) -> object:
    if isinstance(argument, str) and "?" in argument:
        return f"{argument.partition('?')[0]}?…"
    return argument


_WITHOUT_QUERIES = _WithoutQueries()


def keep_queries_out_of_logs() -> None:
    """Cut queries from what is logged of requests, from now on and at every level; twice does no harm."""
    logging.getLogger(REQUESTS_LOG).addFilter(_WITHOUT_QUERIES)
