"""What stands in for the cloud on one machine: for development, demo and tests; never deployed."""
