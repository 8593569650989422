// A budget: it tells, and stops nothing.

@description('The name of the budget.')
param name string

@description('The amount a month, in the currency of the subscription.')
param amount int

@description('The first day, the first of a month.')
param startDate string

@description('Who is told besides the owners. Empty: nobody.')
param email string

var emails = empty(email) ? [] : [email]

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: name
  properties: {
    amount: amount
    category: 'Cost'
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: startDate
    }
    notifications: {
      spent: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: emails
        contactRoles: ['Owner']
      }
      forecast: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: emails
        contactRoles: ['Owner']
      }
    }
  }
}
