// Everything that one Halo AD Sync needs: one resource group, one module a concern. See docs/deploy.md.
targetScope = 'subscription'

// ---- what and where ------------------------------------------------------------------------------------

@description('The name of this installation, such as "prod". It is part of the names of all resources.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('The region, such as "uksouth". It has to offer the Flex Consumption plan.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('The resource group. It is created where it does not exist.')
param resourceGroupName string = 'rg-halo-adsync-${environmentName}'

@description('Further tags for every resource, such as a cost centre.')
param extraTags object = {}

// ---- who -----------------------------------------------------------------------------------------------

@description('Object id of the person, or better the group, that adds customers: it may write secrets and use the command line. Empty: nobody.')
param operatorPrincipalId string = ''

@description('Client id of the app registration by which people sign in; infra/sign-in.sh makes one. Empty: function keys only.')
param authClientId string = ''

@description('What lets a caller in: "keys" or "entra", see docs/security.md.')
@allowed([
  'keys'
  'entra'
])
param apiSignIn string = empty(authClientId) ? 'keys' : 'entra'

// ---- how much ------------------------------------------------------------------------------------------

@description('Where alerts go. Empty: they are only shown in the portal.')
param alertEmail string = ''

@description('Alert when a customer with a schedule had no good run for so many hours.')
@minValue(1)
@maxValue(720)
param notSyncedHours int = 26

@description('Budget of the resource group a month, in the currency of the subscription, with mails at 80 % spent and 100 % forecast. 0: none.')
@minValue(0)
param monthlyBudget int = 0

@description('First day of the budget, the first of this month. Leave it as it is.')
param budgetStart string = '${utcNow('yyyy-MM')}-01'

@description('Memory of an instance in MB. A full run of 50,000 people needs 2048.')
@allowed([
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('The most instances at a time.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 40

@description('When the timer looks who is due: six fields, UTC.')
param syncTimer string = '0 * * * * *'

@description('How the state is replicated. ZRS survives the loss of a data centre; a region without zones needs GRS.')
@allowed([
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageSku string = 'Standard_ZRS'

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Reach storage and vault by private endpoints only, from a virtual network of the app. Costs about 32 USD a month more.')
param privateNetwork bool = false

@description('Addresses of that network. At least /23; they must not overlap with networks that are peered with it.')
param networkPrefix string = '10.77.0.0/23'

// ---- resources -----------------------------------------------------------------------------------------

var token = uniqueString(subscription().id, resourceGroupName, environmentName)
var tags = union(extraTags, {
  'azd-env-name': environmentName
  application: 'halo-adsync'
})

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-${token}'
    insightsName: 'appi-${token}'
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    sku: storageSku
    isPrivate: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    isPrivate: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module relay 'modules/relay.bicep' = {
  name: 'relay'
  scope: group
  params: {
    name: 'relay-${token}'
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-${token}'
    location: location
    tags: tags
    prefix: networkPrefix
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    appPrincipalId: identity.outputs.principalId
    operatorPrincipalId: operatorPrincipalId
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    relayName: relay.outputs.name
    insightsName: monitoring.outputs.insightsName
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  // Without its roles the app could not read its own package.
  dependsOn: [
    roles
  ]
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: union(tags, {
      'azd-service-name': 'sync'
    })
    identityName: identity.outputs.name
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    vaultUri: vault.outputs.uri
    insightsName: monitoring.outputs.insightsName
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    syncTimer: syncTimer
    apiSignIn: apiSignIn
  }
}

module signIn 'modules/sign-in.bicep' = if (!empty(authClientId)) {
  name: 'sign-in'
  scope: group
  params: {
    appName: app.outputs.name
    clientId: authClientId
    isRequired: apiSignIn == 'entra'
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
    notSyncedHours: notSyncedHours
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0) {
  name: 'budget'
  scope: group
  params: {
    // Azure takes no new budget that starts before this month, and no other start of one that is there.
    // So each month in which something is deployed has its own; docs/deploy.md says how to delete older ones.
    name: 'budget-${token}-${budgetStart}'
    amount: monthlyBudget
    startDate: budgetStart
    email: alertEmail
  }
}

// ---- what azd, the command line and the documents need -------------------------------------------------

@description('The resource group.')
output AZURE_RESOURCE_GROUP string = group.name
@description('The function app.')
output AZURE_FUNCTION_APP string = app.outputs.name
@description('The address of the API.')
output APP_URL string = app.outputs.url
@description('For the command line, as the setting of the same meaning.')
output TABLE_SERVICE_URI string = storage.outputs.tableUri
@description('For the command line, as the setting of the same meaning.')
output QUEUE_SERVICE_URI string = storage.outputs.queueUri
@description('Where secrets go.')
output KEY_VAULT_URL string = vault.outputs.uri
@description('The vault, for az keyvault secret set.')
output KEY_VAULT_NAME string = vault.outputs.name
@description('The Relay namespace, for customer.bicep and for connect.relay.namespace of customer files.')
output RELAY_NAMESPACE string = relay.outputs.name
@description('The object id of the app, for the federated credential of the app registration.')
output APP_PRINCIPAL_ID string = identity.outputs.principalId
