"""Which cases may be sent: Case, or Rejection with rule and reason."""

from premortem.validate.validator import Validator

__all__ = ["Validator"]
