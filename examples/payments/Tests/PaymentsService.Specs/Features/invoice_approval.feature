Feature: Invoice approval

  Scenario: CFO approves an invoice
    Given an invoice in draft
    When the CFO approves it
    Then the invoice is approved
