"""The command line: `fedblocks`."""
