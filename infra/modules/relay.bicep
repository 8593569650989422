// The Relay namespace that customers' Hybrid Connection Managers call; customer.bicep adds their connections.
// It stays open to the internet, because they come from there. Nobody here uses the key that Azure makes with it.

@description('The name of the namespace: letters, digits and dashes, as the Hybrid Connection Manager wants it.')
@minLength(6)
@maxLength(50)
param name string

@description('The region.')
param location string

@description('The tags of every resource.')
param tags object

@description('The workspace for the record of who connected.')
param workspaceId string

resource namespace 'Microsoft.Relay/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'connections'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'HybridConnectionsEvent'
        enabled: true
      }
    ]
  }
}

@description('The name of the namespace.')
output name string = namespace.name
