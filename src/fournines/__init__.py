"""fournines: makes an OpenStack control plane highly available, and proves it."""

__version__ = "0.1.0"
