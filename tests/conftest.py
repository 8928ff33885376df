"""What every test of this tree needs of the process that runs it."""

import signal

# A shell starts its background jobs with SIGINT ignored, and so does what runs a CI job from one. Programs inherit
# that, Python then leaves it so, and a program that a test interrupts would go on.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
