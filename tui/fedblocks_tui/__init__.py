"""The terminal interface of FedBlocks."""
