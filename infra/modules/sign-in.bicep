// App Service Authentication: people and programs sign in with Entra and need an app role (infra/app-roles.json).
// The app proves itself to Entra by its managed identity, so there is no client secret to keep or to rotate.

@description('The function app.')
param appName string

@description('The client id of the app registration.')
param clientId string

@description('Whether a request without a sign-in is refused before it reaches the app; health stays open.')
param isRequired bool

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: appName
}

resource authentication 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: isRequired
      unauthenticatedClientAction: isRequired ? 'Return401' : 'AllowAnonymous'
      redirectToProvider: 'azureactivedirectory'
      excludedPaths: [
        '/api/health'
      ]
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            clientId
            'api://${clientId}'
          ]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}
