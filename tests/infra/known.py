"""What infra/ may use, in one place: API versions, roles and settings, each with why."""

from collections.abc import Mapping

API_VERSIONS: Mapping[str, str] = {
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Consumption/budgets": "2023-11-01",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",  # the newest there is
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.KeyVault/vaults": "2024-11-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Network/networkSecurityGroups": "2024-05-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/privateEndpoints": "2024-05-01",
    "Microsoft.Network/virtualNetworks": "2024-05-01",
    "Microsoft.OperationalInsights/workspaces": "2025-02-01",
    "Microsoft.Relay/namespaces": "2024-01-01",
    "Microsoft.Resources/resourceGroups": "2024-11-01",
    "Microsoft.Storage/storageAccounts": "2024-01-01",
    "Microsoft.Web/serverfarms": "2024-04-01",
    "Microsoft.Web/sites": "2024-04-01",
}
"""The version of each type; a child has its parent's. Newer ones: Microsoft's Bicep reference."""

ROLES: Mapping[str, str] = {
    "azureRelaySender": "26baccc8-eea7-41f1-98f4-1762cc7f685d",
    "keyVaultSecretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "keyVaultSecretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
    "monitoringMetricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "storageBlobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "storageQueueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "storageTableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
}
"""Built-in roles (Microsoft, "Azure built-in roles"). Owner and Contributor are not among them."""

PLATFORM_SETTINGS: Mapping[str, str] = {
    "AzureWebJobsStorage__credential": "the Functions host: reach storage with a managed identity",
    "AzureWebJobsStorage__clientId": "the Functions host: with which one",
    "AzureWebJobsStorage__blobServiceUri": "the Functions host keeps its locks there",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID": "App Service Authentication: by which identity it signs in",
    "PYTHON_THREADPOOL_THREAD_COUNT": "the Python worker: threads, docs/operations.md",
}
"""Settings that Bicep sets and the product does not read: who does."""

NOT_SET: Mapping[str, str] = {
    "AzureWebJobsStorage": "a connection string holds a key; in Azure the identity stands in its place",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "the product sets it for the exporter, as the next three",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "see above",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "see above",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "see above",
    "IDENTITY_ENDPOINT": "set by Azure itself",
    "WEBSITE_SITE_NAME": "set by Azure itself",
    "WEBSITE_AUTH_ENABLED": "set by Azure itself; who set it would believe forged sign-ins",
}
"""Settings that the product reads and Bicep must not set."""

FUNCTIONS = frozenset({
    "cidrSubnet", "deployer", "empty", "environment", "fail", "guid", "length", "loadTextContent", "replace",
    "resourceGroup", "string", "subscription", "subscriptionResourceId", "tenant", "toLower", "union",
    "uniqueString", "uriComponent", "utcNow",
})  # fmt: skip
"""The functions of Bicep that are used; one that is not here may be misspelt."""
