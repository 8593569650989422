"""Active Directory: the port that the sync reads through, and its LDAP adapter."""
