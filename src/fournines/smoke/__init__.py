"""`fournines smoke`: uses a cloud as its users do, one thing after the other, through the public VIP."""
