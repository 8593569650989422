"""Halo: the port that the sync reads and writes through, and its HTTP adapter."""
