"""The guard: may this host serve the VIP, and which hosts have departed? Standard library only."""
