"""Who the app is in Azure: its managed identity, or on a developer's machine the one signed in there."""

import os

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from halo_adsync.errors import DirectoryRefused, IncompleteRead

RELAY_SCOPE = "https://relay.azure.net/.default"
STORAGE_SCOPE = "https://storage.azure.com/.default"


def credential(client_id: str | None) -> TokenCredential:
    """Return the credential for storage, Key Vault and Relay.

    Args:
        client_id: the user-assigned managed identity's client id, where there is one.
    """
    if os.environ.get("IDENTITY_ENDPOINT"):  # set by Azure wherever a managed identity can be used
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential(managed_identity_client_id=client_id)


class RelayTokens:
    """Tokens for Azure Relay by the app's identity: no secret is kept on our side.

    Microsoft's library keeps a token until shortly before it expires.
    """

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential

    def token(self, resource: str) -> str:
        """Return a token; Entra's are good for every connection to which the identity has the role."""
        try:
            return self._credential.get_token(RELAY_SCOPE).token
        except ClientAuthenticationError as error:
            raise DirectoryRefused(
                f"The app's identity gets no token for Azure Relay ({type(error).__name__}), so {resource}"
                " cannot be reached. You have to check AZURE_CLIENT_ID and that the app has a managed"
                " identity, or to name a rule and its key in connect.relay.sas."
            ) from None
        except AzureError as error:
            raise IncompleteRead(
                f"The app's identity did not answer ({type(error).__name__}), so there is no token for"
                f" {resource}: try again later."
            ) from None

    def renew(self) -> bool:
        """Know of no other token: a refused one lacks the role, not the freshness."""
        return False
