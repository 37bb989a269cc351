"""One way to refuse a request, and the one shape in which a caller reads it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Code(StrEnum):
    """What a caller can tell refusals apart by."""

    INVALID_CREDENTIALS = "InvalidCredentials"
    UNAUTHENTICATED = "Unauthenticated"
    FORBIDDEN = "Forbidden"
    INVALID = "ValidationError"
    NOT_FOUND = "NotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    INVOICE_NOT_FOUND = "InvoiceNotFound"
    PAYMENT_NOT_FOUND = "PaymentNotFound"
    REFUND_NOT_FOUND = "RefundNotFound"
    INVOICE_NOT_EDITABLE = "InvoiceNotEditable"
    INVOICE_NOT_DRAFT = "InvoiceNotDraft"
    INVOICE_NOT_CANCELLABLE = "InvoiceNotCancellable"
    INVOICE_NOT_PAYABLE = "InvoiceNotPayable"
    PAYMENT_EXCEEDS_INVOICE = "PaymentExceedsInvoice"
    DUPLICATE_REFUND = "DuplicateRefund"
    REFUND_EXCEEDS_PAYMENT = "RefundExceedsPayment"


STATUS_OF: Mapping[Code, int] = {
    Code.INVALID_CREDENTIALS: 401,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.INVALID: 422,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.INVOICE_NOT_FOUND: 404,
    Code.PAYMENT_NOT_FOUND: 404,
    Code.REFUND_NOT_FOUND: 404,
}
"""Codes that are not named here say that the state does not allow it: 409."""


class Refused(Exception):
    """A request that a rule forbids."""

    def __init__(self, code: Code, message: str) -> None:
        self.code, self.message = code, message
        self.status = STATUS_OF.get(code, 409)
        super().__init__(message)
