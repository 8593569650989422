// The customers' secrets. Access by role only; what was deleted can be brought back and not be purged.

@description('The name of the vault.')
@minLength(3)
@maxLength(24)
param name string

@description('The region.')
param location string

@description('The tags of every resource.')
param tags object

@description('Whether only private endpoints lead in.')
param isPrivate bool

@description('The workspace for the record of who read what.')
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    // Flex Consumption without a virtual network has no address that a firewall could let in.
    networkAcls: {
      bypass: 'None'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

@description('The name of the vault.')
output name string = vault.name
@description('The address of the vault.')
output uri string = vault.properties.vaultUri
