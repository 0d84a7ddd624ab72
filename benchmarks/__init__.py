"""Measurements whose figures stand in the documents; each says at its top how it is run."""
