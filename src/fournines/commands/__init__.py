"""What commands do, apart from asking and showing: the command line and the REST API call the same functions."""
