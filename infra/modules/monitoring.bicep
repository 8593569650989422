// Logs and traces. Nobody writes them with a key: local authentication is off in both resources.

@description('The name of the Log Analytics workspace.')
param workspaceName string

@description('The name of the Application Insights resource.')
param insightsName string

@description('The region.')
param location string

@description('The tags of every resource.')
param tags object

@description('Days that logs are kept.')
param retentionDays int

@description('The most that is taken in a day, in GB: a fault that logs without end must not cost without end.')
param dailyQuotaGb int = 2

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGb
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

@description('The id of the workspace.')
output workspaceId string = workspace.id
@description('The name of the Application Insights resource.')
output insightsName string = insights.name
