"""Halo AD Sync keeps the users of a Halo service desk in step with Active Directory."""

__version__ = "0.1.0"
