"""A local Functions host: runs a `function_app.py` without Azure Functions Core Tools.

Microsoft's own worker library indexes and calls the functions; this package does what the host around it
does: HTTP routes with access keys, timers, queue triggers with retries and poison queues, and `/admin`.
It is one instance: timers are not fenced against a second host on the same storage, and `functionTimeout`
is not enforced.
"""

from devstack.host.process import FunctionsHost

__all__ = ["FunctionsHost"]
