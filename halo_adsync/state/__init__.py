"""State in Table Storage: customers, links, places, runs, planned lines, leases and the budget ledger.

One table. What belongs to a customer stands in the partition of that customer, so that one transaction can
settle lines, links and lease together; no method takes another customer's key.
"""
