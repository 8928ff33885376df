"""Services are found by name: every module here that defines a `Service` subclass named after it."""
