// What somebody has to know of. The queries read what the app logs (halo_adsync/events.py); a test ties the two.

@description('The region.')
param location string

@description('The tags of every resource.')
param tags object

@description('The workspace with the logs.')
param workspaceId string

@description('Where alerts go. Empty: they are only shown in the portal.')
param email string

@description('How many hours without a good run are too long.')
param notSyncedHours int

var perCustomer = [
  {
    name: 'customer'
    operator: 'Include'
    values: [
      '*'
    ]
  }
]
var perInstance = [
  {
    name: 'instance'
    operator: 'Include'
    values: [
      '*'
    ]
  }
]

// Severity: 1 nobody is synced, 2 a customer is not, 3 a person has to decide or look some time.
var rules = [
  {
    name: 'run-failed'
    title: 'A run failed'
    query: loadTextContent('../queries/run-failed.kql')
    severity: 2
    every: 'PT15M'
    within: 'PT15M'
    operator: 'GreaterThan'
    dimensions: perCustomer
  }
  {
    name: 'customer-blocked'
    title: 'A plan breaks a limit and waits for a person'
    query: loadTextContent('../queries/customer-blocked.kql')
    severity: 3
    every: 'PT15M'
    within: 'PT15M'
    operator: 'GreaterThan'
    dimensions: perCustomer
  }
  {
    name: 'customer-not-synced'
    title: 'A customer had no good run for too long'
    query: replace(loadTextContent('../queries/customer-not-synced.kql'), 'NOT_SYNCED_HOURS', string(notSyncedHours))
    severity: 2
    every: 'PT1H'
    within: 'PT2H'
    operator: 'GreaterThan'
    dimensions: perCustomer
  }
  {
    name: 'queue-gave-up'
    title: 'The queue gave up on a run: something came to the poison queue'
    query: loadTextContent('../queries/queue-gave-up.kql')
    severity: 2
    every: 'PT15M'
    within: 'PT15M'
    operator: 'GreaterThan'
    dimensions: perCustomer
  }
  {
    name: 'halo-throttled'
    title: 'Halo refuses requests because there were too many'
    query: loadTextContent('../queries/halo-throttled.kql')
    severity: 3
    every: 'PT1H'
    within: 'PT1H'
    operator: 'GreaterThan'
    dimensions: perInstance
  }
  {
    name: 'timer-silent'
    title: 'The timer does not run: nobody is synced'
    query: loadTextContent('../queries/timer-silent.kql')
    severity: 1
    every: 'PT15M'
    within: 'PT30M'
    operator: 'LessThanOrEqual'
    dimensions: []
  }
]

var receivers = empty(email) ? [] : [
  {
    name: 'operators'
    emailAddress: email
    useCommonAlertSchema: true
  }
]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'halo-adsync'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'halo-adsync'
    emailReceivers: receivers
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: rule.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: 'What to do: docs/operations.md, "When a run does not end well".'
    severity: rule.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: rule.every
    windowSize: rule.within
    autoMitigate: true
    // A new workspace has no tables yet, and without them a query cannot be checked.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: rule.operator
          threshold: 0
          dimensions: rule.dimensions
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        group.id
      ]
    }
  }
}]
