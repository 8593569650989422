// Who the app is: one identity for storage, vault, relay, telemetry and its own deployment. It has no secret.

@description('The name of the identity.')
param name string

@description('The region.')
param location string

@description('The tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('The name of the identity.')
output name string = identity.name
@description('Its object id, for role assignments.')
output principalId string = identity.properties.principalId
