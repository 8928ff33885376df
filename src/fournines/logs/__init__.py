"""What the hosts' journals say, read over SSH from all of them at once and put into one order of time.

Needs nothing but SSH: neither Keystone nor the database nor the bus of the cloud that is looked at.
"""
