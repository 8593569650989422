"""The triggers: each parses what came in, calls one use case, and shapes the answer."""
