Feature: Refund flow

  Scenario: Support agent issues a refund
    Given a paid invoice
    When a support agent refunds it
    Then the refund is recorded
