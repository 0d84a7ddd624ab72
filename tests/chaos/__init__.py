"""A whole network, harmed at random: whatever happens, it ends as if nothing had happened."""
