"""The version of the service and the client."""

__version__ = "0.1.0"
