"""What a customer's file and reports say of signing in to Halo."""

PRINCIPAL_NAME = "userprincipalname"
"""The attribute with the name that people sign in to Entra with, in lower case."""
