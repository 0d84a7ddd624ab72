"""The read model: what all contracts have said, indexed, and what follows from it for people."""
