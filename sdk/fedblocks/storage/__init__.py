"""What the rollup's store and the monitor's index share: opening a database, and what can go wrong with a disk."""
