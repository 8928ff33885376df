"""What a cloud will mean: where it will fail, before it does."""

from fournines.design.check import RULES, check_file, findings, require_valid
from fournines.design.finding import Finding, Rule

__all__ = ["RULES", "Finding", "Rule", "check_file", "findings", "require_valid"]
