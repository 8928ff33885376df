"""Day two: each operation changes what is wanted, and the same engine brings the hosts there. Pure."""
