"""The rules of refunds, and of requests for them, which take two pairs of eyes."""

from __future__ import annotations

from ledger import clock, schema
from ledger.books.book import Book, page
from ledger.books.invoices import require_limit
from ledger.books.records import Actor, Payment, Refund, RefundRequest
from ledger.errors import Code, Refused
from ledger.fields import Action, RequestStatus, Screening
from ledger.money import to_amount
from ledger.roles import Role

OPEN = (RequestStatus.REQUESTED, RequestStatus.APPROVED)


class Refunds:
    """Giving money back, at once or on request."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def add(self, actor: Actor, payment_id: str, *, cents: int, reason: str) -> schema.Refund:
        """Give money back; never twice for the same reason, never more than came in."""
        book = self._book
        with book.lock:
            payment = book.payment(payment_id)
            if not book.defects.on("L28"):
                book.unlocked(payment.invoice)
            _require_not_held(payment)
            if not book.defects.on("L08") and _is_repeated(payment.refunds, cents, reason):
                raise Refused(Code.DUPLICATE_REFUND, "this refund was issued already")
            if not book.defects.on("L10"):
                _require_left(payment, cents)
            return self._give_back(actor, payment, cents=cents, reason=reason, request_id=None)

    def get(self, refund_id: str) -> schema.Refund:
        """The refund. Raises Refused (404)."""
        with self._book.lock:
            return self._book.refund(refund_id).shown()

    def of_payment(self, payment_id: str) -> list[schema.Refund]:
        """All refunds of a payment, in the order of issue. Raises Refused (404)."""
        with self._book.lock:
            return [refund.shown() for refund in self._book.payment(payment_id).refunds]

    def request(
        self, actor: Actor, payment_id: str, *, cents: int, reason: str
    ) -> schema.RefundRequest:
        """Ask for a refund, for someone else to decide on."""
        book = self._book
        with book.lock:
            payment = book.payment(payment_id)
            book.unlocked(payment.invoice)
            _require_not_held(payment)
            waiting = [request for request in payment.requests if request.status in OPEN]
            if _is_repeated(waiting, cents, reason):
                raise Refused(Code.DUPLICATE_REFUND_REQUEST, "this is requested already")
            _require_left(payment, cents)
            request = RefundRequest(
                id=f"req_{book.digits()}",
                number=len(book.requests_in_order) + 1,
                payment=payment,
                cents=cents,
                reason=reason,
                requested_by=actor.user,
                created_at=clock.now(),
            )
            book.requests[request.id] = request
            book.requests_in_order.append(request)
            payment.requests.append(request)
            book.note(actor, Action.REFUND_REQUESTED, request.id)
            return request.shown()

    def get_request(self, request_id: str) -> schema.RefundRequest:
        """The request. Raises Refused (404)."""
        with self._book.lock:
            return self._book.request(request_id).shown()

    def requests(
        self,
        *,
        status: RequestStatus | None,
        payment_id: str | None,
        cursor: str | None,
        limit: int,
    ) -> schema.RefundRequestPage:
        """One page of requests, in the order of asking."""
        with self._book.lock:
            found, following = page(
                self._book.requests_in_order,
                cursor=cursor,
                limit=limit,
                keep=lambda request: (
                    status in (None, request.status) and payment_id in (None, request.payment.id)
                ),
            )
            items = [request.shown() for request in found]
        return schema.RefundRequestPage(items=items, next_cursor=following)

    def approve(self, actor: Actor, request_id: str) -> schema.RefundRequest:
        """Requested becomes approved, by someone else and within their limit."""
        book = self._book
        with book.lock:
            request = self._pending(request_id)
            if request.requested_by == actor.user and not book.defects.on("L16"):
                raise Refused(Code.SELF_APPROVAL, "someone else has to approve what you request")
            require_limit(actor, request.cents)
            return self._decide(actor, request, RequestStatus.APPROVED)

    def deny(self, actor: Actor, request_id: str, *, reason: str) -> schema.RefundRequest:
        """Requested becomes denied. Raises Refused (409) if it was decided on before."""
        with self._book.lock:
            request = self._pending(request_id)
            request.denial = reason
            return self._decide(actor, request, RequestStatus.DENIED)

    def cancel(self, actor: Actor, request_id: str) -> schema.RefundRequest:
        """Requested becomes cancelled, by who asked for it or a CFO; not once it is approved."""
        with self._book.lock:
            request = self._book.request(request_id)
            if actor.user != request.requested_by and actor.role != Role.CFO:
                raise Refused(Code.FORBIDDEN, "someone else requested it")
            return self._decide(actor, self._pending(request_id), RequestStatus.CANCELLED)

    def issuable(self, request_id: str) -> RefundRequest:
        """The request. Raises Refused: 404, or 409 unless it is approved and may be paid out."""
        with self._book.lock:
            request = self._book.request(request_id)
            if request.status != RequestStatus.APPROVED:
                raise Refused(Code.REFUND_REQUEST_NOT_APPROVED, f"the request is {request.status}")
            self._book.unlocked(request.payment.invoice)
            _require_not_held(request.payment)
            _require_left(request.payment, request.cents)
            return request

    def issue(self, actor: Actor, request_id: str) -> schema.RefundRequest:
        """Approved becomes issued: the money goes back. Looked at and done in one step."""
        with self._book.lock:
            return self.issue_unchecked(actor, self.issuable(request_id))

    def issue_unchecked(self, actor: Actor, request: RefundRequest) -> schema.RefundRequest:
        """Issue what `issuable` let through, under the same lock: see `issue`."""
        with self._book.lock:
            refund = self._give_back(
                actor,
                request.payment,
                cents=request.cents,
                reason=request.reason,
                request_id=request.id,
            )
            request.status, request.refund_id = RequestStatus.ISSUED, refund.id
            self._book.note(actor, Action.REFUND_REQUEST_ISSUED, request.id)
            return request.shown()

    def _pending(self, request_id: str) -> RefundRequest:
        request = self._book.request(request_id)
        if request.status != RequestStatus.REQUESTED:
            raise Refused(Code.REFUND_REQUEST_NOT_PENDING, f"the request is {request.status}")
        return request

    def _decide(
        self, actor: Actor, request: RefundRequest, status: RequestStatus
    ) -> schema.RefundRequest:
        request.status, request.decided_by = status, actor.user
        self._book.note(actor, Action(f"refund_request.{status}"), request.id)
        return request.shown()

    def _give_back(
        self, actor: Actor, payment: Payment, *, cents: int, reason: str, request_id: str | None
    ) -> schema.Refund:
        refund = Refund(
            id=f"ref_{self._book.digits()}",
            payment=payment,
            cents=cents,
            reason=reason,
            request_id=request_id,
            created_at=clock.now(),
        )
        self._book.refunds[refund.id] = refund
        payment.refunds.append(refund)
        payment.refunded_cents += cents
        self._book.note(actor, Action.REFUND_CREATED, refund.id)
        return refund.shown()


def _is_repeated(earlier: list[Refund] | list[RefundRequest], cents: int, reason: str) -> bool:
    return any(one.cents == cents and one.reason == reason for one in earlier)


def _require_not_held(payment: Payment) -> None:
    if payment.screening == Screening.HELD:
        raise Refused(Code.PAYMENT_HELD, "the payment is held by the fraud check")


def _require_left(payment: Payment, cents: int) -> None:
    if cents > payment.left_cents:
        left = to_amount(payment.left_cents)
        raise Refused(Code.REFUND_EXCEEDS_PAYMENT, f"only {left:.2f} is left")
