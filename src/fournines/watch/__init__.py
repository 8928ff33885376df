"""`fournines watch`: the client's view of a cloud all the time, what it is worth in a year, and what happened when."""
