"""Halo AD Sync keeps the users of a Halo service desk in step with Active Directory."""
