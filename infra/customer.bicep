// The hybrid connection of one customer's domain controller, in the Relay namespace of main.bicep.
// The customer gets the connection string of a rule that may only listen: docs/customers.md says how.

@description('The Relay namespace, RELAY_NAMESPACE of the deployment.')
@minLength(6)
@maxLength(50)
param relayNamespace string

@description('The name of the connection, such as contoso-dc01: letters, digits and dashes. It is connect.relay.connection of the customer file.')
@minLength(1)
@maxLength(60)
param connection string

@description('The domain controller as its certificate and the customer file name it, such as dc01.corp.contoso.com.')
@minLength(1)
@maxLength(253)
param host string

@description('Its port: 636 for LDAPS, 389 for StartTLS.')
@minValue(1)
@maxValue(65535)
param port int = 636

// The Hybrid Connection Manager takes letters, digits and dashes in a name, and exactly one colon in the endpoint.
// Encoding leaves alone these and . _ ~ (RFC 3986), so a name that it leaves alone and that has none of the three is right.
var plainName = replace(replace(replace(connection, '.', '%'), '_', '%'), '~', '%')
var plainHost = replace(replace(host, '_', '%'), '~', '%')
var checkedName = uriComponent(plainName) == plainName ? connection : fail('connection: only letters, digits and dashes, as the Hybrid Connection Manager wants it.')
var checkedHost = uriComponent(plainHost) == plainHost ? host : fail('host: a DNS name without a port; give the port as port.')

resource namespace 'Microsoft.Relay/namespaces@2024-01-01' existing = {
  name: relayNamespace
}

resource hybridConnection 'Microsoft.Relay/namespaces/hybridConnections@2024-01-01' = {
  parent: namespace
  name: checkedName
  properties: {
    requiresClientAuthorization: true
    userMetadata: '[{"key":"endpoint","value":"${checkedHost}:${port}"}]'
  }
}

resource listen 'Microsoft.Relay/namespaces/hybridConnections/authorizationRules@2024-01-01' = {
  parent: hybridConnection
  name: 'listen'
  properties: {
    rights: [
      'Listen'
    ]
  }
}

@description('For the customer file: connect.relay.namespace.')
output namespace string = namespace.name
@description('For the customer file: connect.relay.connection.')
output connection string = hybridConnection.name
@description('The rule whose connection string the customer\'s administrator gets. The string itself is no output.')
output rule string = listen.name
