"""The contracts of the protocol, one typed class each."""
