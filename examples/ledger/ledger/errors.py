"""One way to refuse a request, and the one shape in which a caller reads it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Code(StrEnum):
    """What a caller can tell refusals apart by."""

    INVALID_CREDENTIALS = "InvalidCredentials"
    UNAUTHENTICATED = "Unauthenticated"
    FORBIDDEN = "Forbidden"
    EDITION_FEATURE_MISSING = "EditionFeatureMissing"
    APPROVAL_LIMIT_EXCEEDED = "ApprovalLimitExceeded"
    SELF_APPROVAL = "SelfApproval"
    INVALID = "ValidationError"
    NOT_FOUND = "NotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    SESSION_NOT_FOUND = "SessionNotFound"
    CUSTOMER_NOT_FOUND = "CustomerNotFound"
    INVOICE_NOT_FOUND = "InvoiceNotFound"
    PAYMENT_NOT_FOUND = "PaymentNotFound"
    REFUND_NOT_FOUND = "RefundNotFound"
    REFUND_REQUEST_NOT_FOUND = "RefundRequestNotFound"
    VERSION_MISMATCH = "VersionMismatch"
    IDEMPOTENCY_KEY_REUSED = "IdempotencyKeyReused"
    CUSTOMER_BLOCKED = "CustomerBlocked"
    INVOICE_LOCKED = "InvoiceLocked"
    INVOICE_NOT_LOCKED = "InvoiceNotLocked"
    INVOICE_NOT_EDITABLE = "InvoiceNotEditable"
    INVOICE_NOT_DRAFT = "InvoiceNotDraft"
    INVOICE_NOT_CANCELLABLE = "InvoiceNotCancellable"
    INVOICE_NOT_PAYABLE = "InvoiceNotPayable"
    INVOICE_NOT_OVERDUE = "InvoiceNotOverdue"
    LATE_FEE_ALREADY_CHARGED = "LateFeeAlreadyCharged"
    CREDIT_EXCEEDS_INVOICE = "CreditExceedsInvoice"
    PAYMENT_EXCEEDS_INVOICE = "PaymentExceedsInvoice"
    PAYMENT_ALREADY_CHECKED = "PaymentAlreadyChecked"
    PAYMENT_HELD = "PaymentHeld"
    PAYMENT_NOT_HELD = "PaymentNotHeld"
    DUPLICATE_REFUND = "DuplicateRefund"
    DUPLICATE_REFUND_REQUEST = "DuplicateRefundRequest"
    REFUND_EXCEEDS_PAYMENT = "RefundExceedsPayment"
    REFUND_REQUEST_NOT_PENDING = "RefundRequestNotPending"
    REFUND_REQUEST_NOT_APPROVED = "RefundRequestNotApproved"


STATUS_OF: Mapping[Code, int] = {
    Code.INVALID_CREDENTIALS: 401,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.EDITION_FEATURE_MISSING: 403,
    Code.APPROVAL_LIMIT_EXCEEDED: 403,
    Code.SELF_APPROVAL: 403,
    Code.INVALID: 422,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.SESSION_NOT_FOUND: 404,
    Code.CUSTOMER_NOT_FOUND: 404,
    Code.INVOICE_NOT_FOUND: 404,
    Code.PAYMENT_NOT_FOUND: 404,
    Code.REFUND_NOT_FOUND: 404,
    Code.REFUND_REQUEST_NOT_FOUND: 404,
    Code.VERSION_MISMATCH: 412,
}
"""Codes that are not named here say that the state does not allow it: 409."""


class Refused(Exception):
    """A request that a rule forbids."""

    def __init__(self, code: Code, message: str) -> None:
        self.code, self.message = code, message
        self.status = STATUS_OF.get(code, 409)
        super().__init__(message)
