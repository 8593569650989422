"""Who the app is in Azure: its managed identity, or on a developer's machine the one signed in there."""

import os

from azure.core.credentials import TokenCredential
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential


def credential(client_id: str | None) -> TokenCredential:
    """Return the credential for storage and Key Vault.

    Args:
        client_id: the user-assigned managed identity's client id, where there is one.
    """
    if os.environ.get("IDENTITY_ENDPOINT"):  # set by Azure wherever a managed identity can be used
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential(managed_identity_client_id=client_id)
