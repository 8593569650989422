"""Microsoft Entra, read through Microsoft Graph: object ids of synchronised accounts."""
