"""Stubs generated from `proto/placewright/v1` by `make proto`."""
